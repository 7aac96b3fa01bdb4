"""Hearing: the lines of a client, and the literals between them."""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, Denied
from protocols.imap.command import Command
from protocols.imap.dialogue import Dialogue
from protocols.imap.literal import Literal
from protocols.imap.refusal import Refusal, bad
from protocols.imap.reply import told
from protocols.imap.state import State
from protocols.imap.value import Malformed, Mark, Sentence, Value, marked

_GO_ON = told("+", "Go on").written()


class Hearing:
    """
    Of one client.

    @ivar mark: the literal that was announced, and has not been read; C{None}: the line is over.
    """

    def __init__(self, dialogue: Dialogue, read: Reader) -> None:
        self._dialogue = dialogue
        self._settings = dialogue.settings
        self._read = read
        self._left = 0
        self.mark: Mark | None = None

    async def more(self) -> bool:
        """Whether the client says something more."""
        return await self._read.more()

    async def line(self) -> bytes:
        """The first line of a command, or one that says DONE."""
        before = self._dialogue.standing.state is State.BEFORE
        most = max(self._settings.login_bytes, self._settings.auth_bytes)
        self._left = most if before else self._settings.command_bytes
        line = await self._read.line(self._left)
        _, self.mark = marked(line)
        return line

    async def response(self) -> bytes:
        """A line of an authentication."""
        return await self._read.line(self._settings.auth_bytes)

    def check_length(self, command: Command, rest: bytes) -> None:
        """
        Whether a command begins with so much only as it may have.

        @raise Denied: it has more.
        """
        if command.name == "AUTHENTICATE" or self._dialogue.standing.state is not State.BEFORE:
            return
        self._left = self._settings.login_bytes
        if len(rest) > self._left:
            raise self._too_long("login_bytes")

    def _too_long(self, setting: str) -> Denied:
        most = getattr(self._settings, setting)
        reply = told("BYE", "The command is too long").written()
        return Denied(f"a command of more than {most} bytes", reply, setting)

    async def values(self, text: bytes) -> list[Value]:
        """
        All arguments of a command.

        @param text: what of it has been read.
        @raise Refusal: they are none, or too long.
        """
        return (await self.sentence(text)).end()

    async def sentence(self, text: bytes, message: bool = False) -> Sentence:
        """
        Arguments; up to the literal, if it has one, that is a message and no argument.

        @raise Refusal: they are none, or too long.
        """
        sentence = Sentence(self._settings.depth, self._settings.values)
        self._left -= len(text)
        try:
            text, self.mark = marked(text)
            await sentence.text(text, self._give_way)
            while self.mark is not None and not (message and sentence.open[0]):
                mark = self.mark
                sentence.literal(await self._literal(mark), mark)
                text, self.mark = marked(await self.rest())
                await sentence.text(text, self._give_way)
            if self.mark is None:
                sentence.end()
        except Malformed as error:
            raise bad("That is no command", str(error)) from None
        return sentence

    async def _give_way(self) -> None:
        await self._dialogue.session.give_way(CLIENT)

    async def _literal(self, mark: Mark) -> bytes:
        """The gateway needs it to decide, so it is the gateway that says that it may come."""
        if mark.size > self._left:
            state = self._dialogue.standing.state
            by = "login_bytes" if state is State.BEFORE else "command_bytes"
            raise Refusal("That literal is too long", by=by, code="TOOBIG")
        self.go_on(mark)
        self._left -= mark.size
        return await self._read.exactly(mark.size, mark.size)

    def go_on(self, mark: Mark) -> None:
        """The client may send its literal, if it waits for that."""
        if not mark.plus:
            self._dialogue.session.send(CLIENT, _GO_ON)

    async def rest(self) -> bytes:
        """The text behind a literal."""
        self.mark = None
        self._dialogue.for_client()
        line = await self._read.line(max(self._left, 0))
        self._left -= len(line)
        return line

    def literal(self, mark: Mark) -> Literal:
        """The announced one, to be read as it comes."""
        self.mark = None
        return Literal(self._read, mark, self._dialogue.for_client, self._dialogue.for_nobody)

    async def drain(self) -> None:
        """
        Read the rest of a command that is refused: literals that come whether they may or not.

        @raise Denied: they are too long.
        """
        while self.mark is not None and self.mark.plus:
            await self.literal(self.mark).skip()
            self._dialogue.for_client()
            _, self.mark = marked(await self._read.line(self._settings.command_bytes))
        self.mark = None

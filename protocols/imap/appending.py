"""
Appending: a message on its way from the client into a mailbox (RFC 9051, section 6.3.12).

Where nothing is examined it is the server who says whether the message may come. Else the
gateway has to have it first, so it is the gateway.
"""

from __future__ import annotations

from gateway.interfaces import SERVER, Denied, ISession
from protocols.imap.command import Command
from protocols.imap.dialogue import Dialogue
from protocols.imap.examination import Examination, Watched
from protocols.imap.exchange import Exchange
from protocols.imap.hearing import Hearing
from protocols.imap.literal import Literal
from protocols.imap.refusal import Refusal, bad
from protocols.imap.reply import Reply, told
from protocols.imap.saying import lead
from protocols.imap.transfer import Transfer
from protocols.imap.value import Atom, Mark, Sentence

_REFUSED = told("BYE", "The message was refused").written()


class Answered(Exception):
    """
    The server does not want the message.

    @ivar reply: what it said; the client has it.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__("the server does not want the message")
        self.reply = reply


class Appending:
    """One APPEND."""

    def __init__(self, dialogue: Dialogue, hearing: Hearing, command: Command) -> None:
        self._dialogue = dialogue
        self._session = dialogue.session
        self._settings = dialogue.settings
        self._hearing = hearing
        self._command = command
        self._exchange = Exchange(command)
        self._wrapped = False  # RFC 6855, section 4: UTF8 (~{…})
        self._binary = False

    async def run(self, rest: bytes) -> Reply:
        """
        All of it.

        @param rest: the text behind the command's name.
        @return: the answer; the client has it.
        @raise Refusal: it does not pass.
        """
        sentence = await self._hearing.sentence(rest, message=True)
        mark = self._hearing.mark
        if mark is None:
            raise bad("The message is missing")
        self._unwrap(sentence, mark)
        self._command.read(self._dialogue.standing.utf8)
        self._dialogue.rights.check(self._command)
        self._check_size(mark)
        self._exchange.tally.messages, self._exchange.tally.size = 1, mark.size
        try:
            return await (self._examine if self._settings.examines else self._pass)(mark)
        except Answered as answered:
            return answered.reply

    def _unwrap(self, sentence: Sentence, mark: Mark) -> None:
        values = sentence.open[0]
        self._binary = mark.binary
        utf8 = values[-1] if len(sentence.open) == 1 else values[-2]
        says = isinstance(utf8, Atom) and utf8.word == "UTF8"
        if len(sentence.open) > 1:
            self._wrapped = (
                len(sentence.open) == 2 and not sentence.open[1] and says and mark.binary
            )
            if not self._wrapped:
                raise bad("That is no message")
            del values[-1]
        elif says and len(values) > 1:
            raise bad("That is no message")
        self._command.values = values

    def _check_size(self, mark: Mark) -> None:
        most = self._settings.message_bytes
        if most and mark.size > most:
            reason = f"a message of more than {most} bytes"
            raise Refusal("The message is too large", reason, "message_bytes", "TOOBIG")
        if mark.binary and not self._wrapped and self._settings.examines:
            reason = "BINARY, where messages are examined"
            raise Refusal("Messages are examined here: without BINARY", reason, code="UNKNOWN-CTE")

    # To the server

    async def begin(self, size: int, at_once: bool) -> Reply | None:
        """
        Announce the message.

        @param at_once: it need not wait for the server's word, if the server can do that.
        @return: that word.
        @raise Answered: the server does not want it.
        """
        dialogue, exchange = self._dialogue, self._exchange
        ahead = await lead(dialogue, exchange, self._command)
        if isinstance(ahead, Reply):
            raise Answered(ahead)
        at_once = at_once and dialogue.standing.takes_at_once(size)
        ahead += b" " + b"(" * self._wrapped
        ahead += Mark(size, binary=self._binary).written(at_once)
        if at_once:
            dialogue.begin_exchange(exchange, ahead)
            return None
        reply = await dialogue.ask(exchange, ahead, goes_on=True)
        if not reply.goes_on:
            raise Answered(reply)
        return reply

    async def _end(self) -> Reply:
        """The literal is over."""
        dialogue, exchange = self._dialogue, self._exchange
        last = b")" * self._wrapped + b"\r\n"
        if exchange.reply is not None:  # the server did not wait for the end
            self._session.send(SERVER, last)
            return exchange.reply
        return await dialogue.ask(exchange, last)

    async def _rest(self) -> None:
        """@raise Denied: something else follows the message than the end of the command."""
        if await self._hearing.rest() != b")" * self._wrapped:
            reason = "more than one message in an APPEND, or something else behind it"
            raise Denied(reason, told("BYE", "One message at a time").written())

    async def _pass(self, mark: Mark) -> Reply:
        """As it comes."""
        try:
            word = await self.begin(mark.size, mark.plus)
        except Answered:
            await self._hearing.drain()
            raise
        if word is not None and not mark.plus:
            self._dialogue.tell(word)
        literal = self._hearing.literal(mark)
        watched = Watched(self._settings, True)
        while piece := await literal.piece():
            watched.feed(piece)
            self._session.send(SERVER, piece)
        watched.record(self._session)
        await self._rest()
        return await self._end()

    async def _examine(self, mark: Mark) -> Reply:
        """
        First examined.

        @raise Refusal: it does not pass.
        """
        self._hearing.go_on(mark)
        literal = self._hearing.literal(mark)
        examination = Examination(self._session, "upload", self._dialogue.standing.user)
        try:
            refusal = await self._transfer(examination, literal)
        except Answered:
            await literal.skip()
            await self._rest()
            raise
        finally:
            examination.record()
            self._exchange.tally.stacked = examination.verdict
        await self._rest()
        if refusal is not None:
            refusal.record = self._exchange.tally.record()
            raise refusal.anew()
        return await self._end()

    async def _transfer(self, examination: Examination, literal: Literal) -> Refusal | None:
        hold = self._settings.hold_bytes
        try:
            return await Transfer(examination, literal, Into(self, self._session), hold).run()
        except Denied as denied:
            denied.reply = denied.reply or _REFUSED
            raise


class Into:
    """An outlet: into the mailbox."""

    def __init__(self, appending: Appending, session: ISession) -> None:
        self._appending = appending
        self._session = session

    async def begin(self, size: int) -> None:
        """See L{Outlet<protocols.imap.transfer.Outlet>}."""
        await self._appending.begin(size, at_once=True)

    async def send(self, data: bytes) -> None:
        """See L{Outlet<protocols.imap.transfer.Outlet>}."""
        self._session.send(SERVER, data)
        await self._session.flushed(SERVER)

"""
SMTPInspector: the dialogue.

The client's coroutine reads a command, decides, asks the server, and answers
with the server's words or the gateway's own; then it reads the next one. The
server's coroutine only tells it of replies, by way of L{Server}.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import (
    SERVER,
    Address,
    Denied,
    ISession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from protocols.smtp import mailing, opening, protection
from protocols.smtp.content.chunk import Chunk
from protocols.smtp.dialogue import Dialogue, Over
from protocols.smtp.grammar.command import Command, parse_command
from protocols.smtp.grammar.refusal import Refusal, refusal
from protocols.smtp.grammar.reply import configured
from protocols.smtp.judging import judge
from protocols.smtp.server import Doubtful
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transfer import GREEDY

NEEDS: Mapping[str, str] = {
    "BDAT": "CHUNKING",
    "AUTH": "AUTH",
    "STARTTLS": "STARTTLS",
    "ETRN": "ETRN",
}
"""Commands that only an extension brings, and which."""

# What a browser can be made to send to any port; Postfix: smtpd_forbidden_commands.
_ANOTHER_PROTOCOL = re.compile(rb"(?:GET|POST|PUT|HEAD|CONNECT|OPTIONS) |[!-9;-~]+: ")


class SMTPInspector(StreamInspector):
    """One connection of a mail client or server."""

    Settings = SMTPSettings

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: SMTPSettings = session.settings
        self._dialogue = Dialogue(session)
        self._server = self._dialogue.server
        self._server_read: Reader | None = None
        self._agreeing: Deferred[None] | None = Deferred() if self._settings.implicit else None

    @staticmethod
    def judge(settings: SMTPSettings, connection: Any, asks: Any) -> Any:
        """For C{tproxygw explain}; see L{protocols.smtp.judging}."""
        return judge(settings, connection.source.host, asks)

    def started(self) -> None:
        """Connect: the server speaks first, unless there is TLS before."""
        if self._agreeing is None:
            self._connect()
        else:
            self._dialogue.waits("command_seconds")

    def _connect(self) -> None:
        self.session.connect().addCallbacks(self._connected, self._unreachable)

    def _connected(self, address: Address) -> None:
        if not self._server.greeted:
            self._server.wait()

    def _unreachable(self, failure: Failure) -> None:
        failure.trap(Unreachable)  # type: ignore[no-untyped-call]
        reason = f"server unreachable: {failure.value}"
        self.session.deny(reason, configured(self._settings.unreachable).data())

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return self._dialogue.about

    def closed(self, verdict: Verdict) -> None:
        """Over."""
        super().closed(verdict)
        self._dialogue.closed(verdict)

    # What the server says

    async def from_server(self, read: Reader) -> None:
        """Greet the client in the server's words, then tell of replies."""
        self._server_read = read
        if self._agreeing is not None:
            await self._agreeing
        try:
            unasked = await self._server.listen(read, lambda: self._dialogue.transfer.flows)
        except Doubtful as doubtful:
            self._dialogue.lost(str(doubtful))
            return
        if unasked is not None:
            self._dialogue.give_up(unasked)
        elif self._server.early is not None:  # of which the client hears when it has said all
            await Deferred()
        elif not (self._dialogue.quit or self._dialogue.refused):
            self._dialogue.lost("the server broke the connection off")

    def lost(self, side: Side, verdict: Verdict) -> None:
        """
        One of them is gone. The other one is told, but for a server that has the half of a
        message: it must not take it for a whole one.
        """
        if side is SERVER:
            self._dialogue.lost(verdict.reason)
        elif self._dialogue.quit:
            self.session.close(verdict.reason, Outcome.PASSED)
        elif self._server.greeted and not (self._dialogue.transfer.open or self._server.doubtful):
            self.session.send(SERVER, b"QUIT\r\n")
            self.session.close(verdict.reason, verdict.outcome)

    # What the client says

    async def from_client(self, read: Reader) -> None:
        """One command after the other, until QUIT."""
        try:
            if self._agreeing is not None:
                await self._agree(read)
            if await read.more() and not self._server.greeted:
                await self._server.greeting()
            while not self._dialogue.quit and await self._more(read):
                await self._turn(read)
                if self._dialogue.tls:
                    self._go_blind(self._dialogue.tls)
        except Over:
            return
        if self._dialogue.transfer.open:
            raise Denied("the client ended before the last chunk of its message")
        self._dialogue.quit = True

    async def _agree(self, read: Reader) -> None:
        """Go over to TLS before anything is said, if there is anybody."""
        self._dialogue.waits(None)
        await protection.agree(self._dialogue, read, self.session.connect)
        self._server.wait()
        agreeing, self._agreeing = self._agreeing, None
        assert agreeing is not None
        agreeing.callback(None)

    async def _more(self, read: Reader) -> bool:
        """Wait for a command."""
        self._dialogue.waits("command_seconds")
        return await read.more()

    async def _turn(self, read: Reader) -> None:
        settings, most = self._settings, self._settings.command_bytes
        if "AUTH" in self._dialogue.known.offered:  # its first line is as long as any (RFC 4954, 4)
            most = max(most, settings.auth_bytes)
        try:
            line = await self._dialogue.line(read, most)
            if len(line) > settings.command_bytes and line[:5].upper() != b"AUTH ":
                raise refusal(500, "5.5.2 Line too long", "a command that is too long")
            command = self._parse(line)
            await self._decide(command, read)
        except Refusal as refused:
            await self._dialogue.refuse(refused)

    def _parse(self, line: bytes) -> Command:
        if _ANOTHER_PROTOCOL.match(line):
            raise Denied(f"not SMTP: {line[:100]!r}", b"421 4.7.0 This is SMTP\r\n")
        try:
            command = parse_command(line, self._settings.addresses == "lenient")
        except Refusal as refused:
            if line[:4].upper() == b"BDAT":  # what follows is content, and how much nobody knows
                raise Denied(refused.reason, refused.reply.data()) from None
            raise
        named = command.verb in ("EHLO", "HELO")
        if not (line.isascii() or named or "SMTPUTF8" in self._dialogue.known.offered):
            raise refusal(500, "5.5.2 ASCII only", f"{command.verb} beyond ASCII without SMTPUTF8")
        return command

    async def _decide(self, command: Command, read: Reader) -> None:
        try:
            self._check(command.verb)
            await _COMMANDS[command.verb](self._dialogue, command, read)
        except Refusal as refused:
            if command.verb == "BDAT":
                chunk = Chunk(read, command.size, self._dialogue.waits)
                await chunk.skip(refused, GREEDY * self._settings.message_bytes)
            raise

    def _check(self, verb: str) -> None:
        if self._dialogue.refused and verb != "QUIT":
            raise refusal(503, "5.5.0 The server takes no mail now", f"{verb} after a refusal")
        if verb not in self._settings.commands:
            reason = f"{verb} is not allowed"
            raise refusal(502, f"5.5.1 {verb} is not available", reason, "commands")
        needed = NEEDS.get(verb)
        if needed is not None and needed not in self._dialogue.known.offered:
            raise refusal(502, f"5.5.1 {verb} is not available", f"{verb}, which was not offered")

    def _go_blind(self, beginning: bytes) -> None:
        assert self._server_read is not None
        if not self._server_read.empty:
            raise Denied("the server sent plaintext after it had agreed to TLS")
        helo = self._dialogue.known.helo
        gateway = {"starttls": "passed, not inspected from here on"}
        self.session.record("smtp", gateway, helo=helo)
        self._dialogue.quit = True
        self._dialogue.deadline.clear()
        self.session.send(SERVER, beginning)
        self.release()


async def _forward(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """What the server may answer as it likes."""
    await dialogue.forward(command)


async def _quit(dialogue: Dialogue, command: Command, read: Reader) -> None:
    """QUIT (RFC 5321, section 4.1.1.10)."""
    await dialogue.forward(command)
    dialogue.end_transaction()
    dialogue.quit = True


_COMMANDS: Mapping[str, Callable[[Dialogue, Command, Reader], Awaitable[Any]]] = {
    "HELO": opening.hello,
    "EHLO": opening.hello,
    "AUTH": opening.authenticate,
    "STARTTLS": protection.secure,
    "MAIL": mailing.begin,
    "RCPT": mailing.address,
    "DATA": mailing.send,
    "BDAT": mailing.send_chunk,
    "RSET": mailing.reset,
    "NOOP": _forward,
    "VRFY": _forward,
    "EXPN": _forward,
    "HELP": _forward,
    "ETRN": _forward,
    "QUIT": _quit,
}

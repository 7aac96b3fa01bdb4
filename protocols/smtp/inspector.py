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

from twisted.python.failure import Failure

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Denied, ISession, Unreachable
from protocols.smtp.chunked import Chunk
from protocols.smtp.command import Command, is_base64, parse_command
from protocols.smtp.content import too_large
from protocols.smtp.extension import EXTENSIONS, Offer
from protocols.smtp.fault import Fault, fault
from protocols.smtp.parameter import MAIL, RCPT, Parameter
from protocols.smtp.permission import check_hello, check_recipient, check_sender
from protocols.smtp.reply import Reply, configured
from protocols.smtp.server import CONTINUATION, LOST, Server
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transaction import Transaction
from protocols.smtp.transfer import Transfer

NEEDS: Mapping[str, str] = {
    "BDAT": "CHUNKING",
    "AUTH": "AUTH",
    "STARTTLS": "STARTTLS",
    "ETRN": "ETRN",
}
"""Commands that only an extension brings, and which."""

# What a browser can be made to send to any port; Postfix: smtpd_forbidden_commands.
_ANOTHER_PROTOCOL = re.compile(rb"(?:GET|POST|PUT|HEAD|CONNECT|OPTIONS) |[!-9;-~]+: ")

_TLS = re.compile(rb"\x16\x03[\x00-\x04]")


class _Over(Exception):
    """The server said 421: nothing more is read from the client."""


class SMTPInspector(StreamInspector):
    """One connection of a mail client or server."""

    Settings = SMTPSettings

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: SMTPSettings = session.settings
        self._server = Server(session)
        self._server_read: Reader | None = None
        self._transfer = Transfer(session, self._server)
        self._helo = ""
        self._offered: Mapping[str, str] = {}
        self._authenticated = False
        self._transaction: Transaction | None = None
        self._errors = 0
        self._messages = 0
        self._refused = False
        self._quit = False

    def started(self) -> None:
        """Connect: the server speaks first."""
        self.session.connect().addErrback(self._unreachable)

    def _unreachable(self, failure: Failure) -> None:
        failure.trap(Unreachable)  # type: ignore[no-untyped-call]
        reason = f"server unreachable: {failure.value}"
        self.session.deny(reason, configured(self._settings.unreachable).data())

    # What the server says

    async def from_server(self, read: Reader) -> None:
        """Greet the client in the server's words, then tell of replies."""
        self._server_read = read
        self._server.greeting().addCallback(self._greet)
        unasked = await self._server.listen(read)
        if unasked is not None:
            self._give_up("the server ended the session", unasked)
        elif not (self._quit or self._refused):
            self._give_up("the server broke the connection off", LOST)

    def _greet(self, reply: Reply) -> Reply:
        self._tell(reply)
        self._refused = not reply.positive
        return reply

    def _give_up(self, reason: str, reply: Reply) -> None:
        """End the session: with a reset to the server if it has the half of something."""
        if self._server.owes or self._transfer.open:
            raise Denied(reason, reply.data())
        self._tell(reply)
        self.session.close(f"{reason}: {reply.text}")

    # What the client says

    async def from_client(self, read: Reader) -> None:
        """One command after the other, until QUIT."""
        try:
            if not self._server.greeted and await read.more():
                await self._server.greeting()
            while not self._quit and await read.more():
                await self._turn(read)
        except _Over:
            return
        if self._transfer.open:
            raise Denied("the client ended before the last chunk of its message")
        self._quit = True

    async def _turn(self, read: Reader) -> None:
        line = await self._line(read, self._settings.command_bytes)
        try:
            command = self._parse(line)
            await self._decide(command, read)
        except Fault as refused:
            self._refuse(refused)

    async def _line(self, read: Reader, limit: int) -> bytes:
        try:
            return await read.line(limit)
        except Denied as denied:
            reply = b"" if read.ended else b"500 5.5.2 Lines end in CRLF, and are not that long\r\n"
            raise Denied(denied.reason, reply) from None

    def _parse(self, line: bytes) -> Command:
        if _ANOTHER_PROTOCOL.match(line):
            raise Denied(f"not SMTP: {line[:100]!r}", b"421 4.7.0 This is SMTP\r\n")
        try:
            command = parse_command(line)
        except Fault as refused:
            if line[:4].upper() == b"BDAT":  # what follows is content, and how much nobody knows
                raise Denied(refused.reason, refused.reply.data()) from None
            raise
        if not line.isascii() and "SMTPUTF8" not in self._offered:
            raise fault(500, "5.5.2 ASCII only", f"{command.verb} beyond ASCII without SMTPUTF8")
        return command

    async def _decide(self, command: Command, read: Reader) -> None:
        try:
            self._check_command(command.verb)
            await _COMMANDS[command.verb](self, command, read)
        except Fault:
            if command.verb == "BDAT":
                await Chunk(read, command.size).skip()
            raise

    def _check_command(self, verb: str) -> None:
        if self._refused and verb != "QUIT":
            raise fault(503, "5.5.0 The server takes no mail now", f"{verb} after a refusal")
        if verb not in self._settings.commands:
            reason = f"{verb} is not allowed (setting 'commands')"
            raise fault(502, f"5.5.1 {verb} is not available", reason)
        needed = NEEDS.get(verb)
        if needed is not None and needed not in self._offered:
            raise fault(502, f"5.5.1 {verb} is not available", f"{verb}, which was not offered")

    def _refuse(self, refused: Fault) -> None:
        """The gateway's own answer."""
        self._errors += refused.reply.code >= 500
        if self._errors >= self._settings.errors:
            reason = f"{self._errors} commands were refused (setting 'errors'): {refused.reason}"
            raise Denied(reason, refused.reply.data() + b"421 4.7.0 Too many errors\r\n")
        self.session.log(
            "smtp", **self._envelope(), refused=refused.reason, answer=refused.reply.text
        )
        self._tell(refused.reply)

    def _envelope(self) -> dict[str, Any]:
        """What is known of the transaction, as audit fields."""
        transaction = self._transaction
        if transaction is None:
            return {"helo": self._helo}
        return {
            "helo": self._helo,
            "mail_from": f"<{transaction.sender}>",
            "rcpt_to": [f"<{each}>" for each in transaction.recipients],
        }

    def _tell(self, reply: Reply) -> None:
        self.session.send(CLIENT, reply.data())

    async def _ask(self, what: str, data: bytes) -> Reply:
        """Ask the server. A 421 is the end, whatever it is the answer to."""
        reply = await self._server.ask(what, data)
        if reply.code == 421:
            self._give_up("the server ended the session", reply)
            raise _Over
        return reply

    async def _pass(self, command: Command, read: Reader) -> Reply:
        """Ask the server, and answer with its words."""
        reply = await self._ask(command.verb, command.line())
        self._tell(reply)
        return reply

    # Commands, in the order of a session

    async def _hello(self, command: Command, read: Reader) -> None:
        check_hello(command.argument, self._settings)
        self._end_transaction()
        reply = await self._ask(command.verb, command.line())
        if reply.positive:
            self._helo = command.argument
            offer = self._offer(reply)
            self._offered = offer.extensions if command.verb == "EHLO" else {}
            reply = offer.reply() if command.verb == "EHLO" else Reply.of(250, reply.lines[0])
        self._tell(reply)

    def _offer(self, reply: Reply) -> Offer:
        """What the client may hear of the server's answer to EHLO."""
        settings = self._settings
        allowed = set(settings.extensions) & set(EXTENSIONS)
        if settings.starttls == "hide":
            allowed.discard("STARTTLS")
        offer = Offer.parse(reply).only(allowed).limited(settings.message_bytes)
        return offer.mechanisms(settings.auth_mechanisms if settings.auth == "always" else ())

    async def _authenticate(self, command: Command, read: Reader) -> None:
        if self._authenticated or self._transaction is not None:
            raise fault(503, "5.5.1 AUTH is out of place")
        if command.argument.split()[0] not in self._offered["AUTH"].split():
            raise fault(504, "5.5.4 Not with this mechanism", "AUTH with another mechanism")
        reply = await self._pass(command, read)
        while reply.code == 334:
            line = await self._line(read, self._settings.auth_bytes)
            if line != b"*" and not is_base64(line.decode("latin-1")):
                raise Denied("an AUTH line that is not base64", b"421 4.5.0 Not base64\r\n")
            reply = await self._ask(CONTINUATION, line + b"\r\n")
            self._tell(reply)
        self._authenticated = reply.code == 235
        self.session.log(
            "smtp", helo=self._helo, auth=command.argument.split()[0], answer=reply.text
        )

    async def _secure(self, command: Command, read: Reader) -> None:
        """
        Pass TLS blindly. What came in plaintext behind STARTTLS would be taken
        for protected by a careless server (CVE-2011-0411), so it is denied.
        """
        if not read.empty:
            raise Denied("plaintext behind STARTTLS", b"421 4.7.0 Nothing may follow STARTTLS\r\n")
        if self._settings.starttls == "refuse":
            raise fault(454, "4.7.0 TLS is not available (setting 'starttls')")
        if self._transaction is not None:
            raise fault(503, "5.5.1 STARTTLS within a transaction")
        reply = await self._pass(command, read)
        if reply.code == 220:
            await self._go_blind(read)

    async def _go_blind(self, read: Reader) -> None:
        hello = await read.exactly(3, 3)
        if not _TLS.fullmatch(hello):
            raise Denied(f"{hello!r} after STARTTLS, which is not TLS")
        assert self._server_read is not None
        if not self._server_read.empty:
            raise Denied("the server sent plaintext after it had agreed to TLS")
        self.session.log("smtp", helo=self._helo, starttls="passed, not inspected from here on")
        self._quit = True
        self.session.send(SERVER, hello)
        self.release()

    async def _mail(self, command: Command, read: Reader) -> None:
        assert command.path is not None
        self._check_may_mail()
        if self._transaction is not None:
            raise fault(503, "5.5.1 One sender at a time")
        self._check_parameters(command, MAIL)
        self._check_size(command)
        check_sender(command.path, self._settings)
        reply = await self._pass(command, read)
        if reply.positive:
            international = command.parameter("SMTPUTF8") is not None
            self._transaction = Transaction(command.path.mailbox, international)

    def _check_may_mail(self) -> None:
        settings = self._settings
        if not self._helo:
            raise fault(503, "5.5.1 Say EHLO first")
        if settings.starttls == "require":
            raise fault(530, "5.7.0 Say STARTTLS first", "mail in plaintext (setting 'starttls')")
        if settings.auth_required and not self._authenticated:
            raise fault(530, "5.7.0 Say AUTH first", "mail without AUTH (setting 'auth_required')")
        if self._messages >= settings.messages_per_session:
            reason = f"more than {self._messages} messages (setting 'messages_per_session')"
            raise Denied(reason, b"421 4.7.0 So many messages are enough; connect again\r\n")

    def _check_parameters(self, command: Command, table: Mapping[str, Parameter]) -> None:
        for name, _ in command.parameters:
            if table[name].extension not in self._offered:
                raise fault(555, f"5.5.4 {name} is not available", f"{name}, not offered")
        assert command.path is not None
        international = command.parameter("SMTPUTF8") is not None or (
            self._transaction is not None and self._transaction.international
        )
        if not (command.path.mailbox.ascii or international):
            raise fault(553, "5.6.7 Not without SMTPUTF8", f"{command.path} without SMTPUTF8")

    def _check_size(self, command: Command) -> None:
        limit = self._settings.message_bytes
        if int(command.parameter("SIZE") or 0) > limit:
            raise too_large(limit)

    async def _rcpt(self, command: Command, read: Reader) -> None:
        assert command.path is not None
        transaction = self._begun("RCPT")
        if transaction.chunked:
            raise fault(503, "5.5.1 RCPT after BDAT")
        self._check_parameters(command, RCPT)
        try:
            self._check_recipient(command, transaction)
        except Fault:
            transaction.refused += 1
            raise
        reply = await self._pass(command, read)
        if reply.positive:
            transaction.recipients.append(command.path.mailbox)
        else:
            transaction.refused += 1

    def _check_recipient(self, command: Command, transaction: Transaction) -> None:
        assert command.path is not None
        most = self._settings.recipients_per_message
        if len(transaction.recipients) >= most:
            reason = f"more than {most} recipients (setting 'recipients_per_message')"
            raise fault(452, "4.5.3 Too many recipients", reason)
        check_recipient(command.path, self.session.client.host, self._settings)

    def _begun(self, verb: str) -> Transaction:
        if self._transaction is None:
            raise fault(503, "5.5.1 Say MAIL first", f"{verb} out of sequence")
        return self._transaction

    def _addressed(self, verb: str) -> Transaction:
        transaction = self._begun(verb)
        if not transaction.recipients:
            raise fault(503, "5.5.1 No valid recipients", f"{verb} without recipients")
        return transaction

    async def _data(self, command: Command, read: Reader) -> None:
        if self._addressed("DATA").chunked:
            raise fault(503, "5.5.1 DATA after BDAT")
        reply = await self._pass(command, read)
        if reply.code == 354:
            reply = await self._transfer.dotted(read, self._envelope())
            self._take(reply)

    async def _chunk(self, command: Command, read: Reader) -> None:
        transaction = self._addressed("BDAT")
        transaction.chunked = True
        chunk = Chunk(read, command.size)
        reply = await self._transfer.chunk(chunk, command.last, self._envelope())
        if command.last or not reply.positive:
            self._take(reply)
        else:
            self._tell(reply)

    def _take(self, reply: Reply) -> None:
        """The server has answered to a message."""
        self._messages += 1
        self._end_transaction()
        self._tell(reply)
        if reply.code == 421:
            self.session.close(f"the server ended the session: {reply.text}")
            raise _Over

    async def _reset(self, command: Command, read: Reader) -> None:
        await self._pass(command, read)
        self._end_transaction()

    def _end_transaction(self) -> None:
        self._transaction = None
        self._transfer.forget()

    async def _bye(self, command: Command, read: Reader) -> None:
        await self._pass(command, read)
        self._end_transaction()
        self._quit = True


_COMMANDS: Mapping[str, Callable[[SMTPInspector, Command, Reader], Awaitable[Any]]] = {
    "HELO": SMTPInspector._hello,
    "EHLO": SMTPInspector._hello,
    "AUTH": SMTPInspector._authenticate,
    "STARTTLS": SMTPInspector._secure,
    "MAIL": SMTPInspector._mail,
    "RCPT": SMTPInspector._rcpt,
    "DATA": SMTPInspector._data,
    "BDAT": SMTPInspector._chunk,
    "RSET": SMTPInspector._reset,
    "NOOP": SMTPInspector._pass,
    "VRFY": SMTPInspector._pass,
    "EXPN": SMTPInspector._pass,
    "HELP": SMTPInspector._pass,
    "ETRN": SMTPInspector._pass,
    "QUIT": SMTPInspector._bye,
}

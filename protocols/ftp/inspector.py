"""
The FtpInspector: one control connection.

Commands go to the server one at a time: the next one is passed when the one
before is answered. So what a client sends ahead waits where it is read, every
reply has its command, and a reply without one is seen. Only ABOR and STAT
may come while a transfer is on.
"""

from __future__ import annotations

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    ISession,
    Outcome,
    Unreachable,
    Verdict,
)
from protocols.ftp.channel import ANNOUNCING, DataChannel
from protocols.ftp.command import SYNCH, Command
from protocols.ftp.exchange import GREETED, Exchange
from protocols.ftp.exchanges import INTERRUPTING, PROBE, Exchanges
from protocols.ftp.login import MOST, Login
from protocols.ftp.path import quoted
from protocols.ftp.patience import Patience
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Refused, Rights
from protocols.ftp.settings import FtpSettings
from protocols.ftp.target import GREETING, Target
from protocols.ftp.texts import Texts
from protocols.ftp.transfer import Transfer
from protocols.ftp.verbs import AUTH, REFUSED, SECURITY, VERBS

_UNKNOWN = Reply(500, b"That is no command.")
_NOT_HERE = Reply(502, b"That command is not allowed here.")
_NO_TLS = Reply(534, b"Encryption is not allowed here.")
_AUTH_FIRST = Reply(503, b"Please send AUTH first.")
_SYNTAX = Reply(501, b"That is no argument for this command.")
_UNSUPPORTED = Reply(504, b"That is not supported here.")
_GOODBYE = b"421 That is not allowed here; goodbye.\r\n"

PASSED, DENIED = Outcome.PASSED.value, Outcome.DENIED.value

_MOVING = frozenset({"CWD", "XCWD", "CDUP", "XCUP", "USER", "PASS", "ACCT"})
_PARAMETERS = frozenset({"TYPE", "STRU", "MODE", "OPTS", "AUTH"})

_BEHIND_AUTH = "the client sent plaintext behind AUTH, to be taken for encrypted"
_HELLO = b"\x16\x03"
"""How TLS begins: a handshake, of version 3."""


class FtpInspector(StreamInspector):
    """Every command, every reply and every data connection of one client."""

    Settings = FtpSettings

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._settings: FtpSettings = session.settings
        self._rights = Rights(self._settings)
        self._texts = Texts(self._settings, self._rights)
        self._login = Login()
        self._channel = DataChannel(session)
        self._patience = Patience(session, self._settings)
        self._target = Target(session, self._settings)
        self._exchanges = Exchanges()
        self._transfers: set[Transfer] = set()
        self._spoken = False
        self._encrypting = False
        self._client: Reader | None = None

    def started(self) -> None:
        """The server speaks first; where nobody knows yet which one, the gateway does."""
        self._patience.begin()
        if self._target.wanted:
            self.session.send(CLIENT, self._texts.greeting(GREETING).written())
            return
        self._exchanges.add(Exchange(Command(GREETED)))
        self.session.connect().addCallback(self._connected)

    def _connected(self, address: Address) -> Address:
        self._channel.reached = address
        return address

    async def _reach(self) -> bool:
        """Connect to the server that the client has named; whether it lets anybody in."""
        try:
            self._connected(await self._target.reach())
        except Unreachable as error:
            self._fail(Reply(421, b"That server does not answer."), f"server unreachable: {error}")
            return False
        greeting = Exchange(Command(GREETED), silent=True)
        self._exchanges.add(greeting)
        await self._exchanges.turn(None, self._settle)
        if greeting.replies and greeting.replies[-1].completed:
            return True
        last = greeting.replies[-1] if greeting.replies else Reply(421, b"The server hung up.")
        self._fail(Reply(421, last.text, last.before), "the server does not let anybody in")
        return False

    def _fail(self, reply: Reply, reason: str) -> None:
        self.session.send(CLIENT, reply.written())
        self.session.close(reason, Outcome.FAILED)

    # What the client sends

    async def from_client(self, read: Reader) -> None:
        """Commands."""
        self._client = read
        while await read.more():
            if self._encrypting:
                await self._let_go(read)
                return
            line = await read.line(self._settings.command_bytes)
            command = self._parse(line)
            self._check_plaintext()
            await self._exchanges.turn(command, self._settle)
            if self._exchanges.over:
                break
            await self._take(command)
        while await read.more():
            await read.some()

    def _parse(self, line: bytes) -> Command | None:
        """@raise Denied: it is something else than FTP."""
        command = Command.parse(line)
        known = command is not None and (command.verb in VERBS or command.verb in REFUSED)
        if not self._spoken and not known:
            raise Denied(f"the client does not speak FTP: it begins with {line[:40]!r}")
        self._spoken = True
        return command

    def _check_plaintext(self) -> None:
        """@raise Denied: a command came behind AUTH, to be taken for an encrypted one."""
        if self._exchanges and self._exchanges.last.command.verb == "AUTH":
            raise Denied(_BEHIND_AUTH)

    async def _let_go(self, read: Reader) -> None:
        """The two have agreed to encrypt, and the policy is to let them."""
        hello = await read.exactly(len(_HELLO), len(_HELLO))
        if hello != _HELLO:
            raise Denied("the client agreed to encrypt, and does not")
        self._patience.release()
        self.session.send(SERVER, hello)
        self.release()

    async def _take(self, command: Command | None) -> None:
        """Pass it, or answer it."""
        try:
            if command is None:
                raise Refused(_UNKNOWN)
            await self._take_known(command)
        except Refused as refused:
            self._answer(command, refused)
        except Denied as denied:
            self._record_denied(command, denied)
            raise

    async def _take_known(self, command: Command) -> None:
        if command.verb == "QUIT" and not self._target.there:
            self.session.send(CLIENT, Reply(221, b"Goodbye.").written())
            self.session.close("the client quit before it had named a server")
            return
        sent = command
        if command.verb in VERBS or self._may_encrypt(command):
            sent = self._target.named(command)
        self._check(sent)
        if self._target.there or await self._reach():
            await self._pass(sent, command)

    def _check(self, command: Command) -> None:
        """@raise Refused: it is answered here."""
        if command.verb not in VERBS and not self._may_encrypt(command):
            raise self._refusal(command)
        verb = VERBS.get(command.verb, AUTH)
        if not verb.fits(command.argument):
            known = command.argument is not None and command.verb in _PARAMETERS
            wrong = _UNSUPPORTED if known else _SYNTAX
            raise Refused(wrong, f"not an argument of {command}")
        if command.verb == "REST" and int(command.argument or b"0") >= MOST:
            raise Refused(_SYNTAX, "no file is that long")
        if verb is AUTH:
            return
        out_of_order = self._login.refusal(command)
        if out_of_order is not None:
            raise Refused(out_of_order)
        self._rights.check(command)

    def _may_encrypt(self, command: Command) -> bool:
        return command.verb == "AUTH" and self._settings.auth == "release"

    def _refusal(self, command: Command) -> Refused:
        if command.verb not in REFUSED:
            return Refused(_UNKNOWN)
        if command.verb not in SECURITY:
            return Refused(_NOT_HERE, "never allowed")
        if self._settings.auth == "hide":
            return Refused(_UNKNOWN, "encryption is not allowed", "auth")
        if command.verb != "AUTH":
            return Refused(_AUTH_FIRST)
        if self._settings.auth == "deny":
            raise Denied("the client wants to encrypt", _GOODBYE, "auth")
        return Refused(_NO_TLS, "encryption is not allowed", "auth")

    async def _pass(self, command: Command, asked: Command) -> None:
        """Send a command, for one that the client C{asked}."""
        if command.verb in ANNOUNCING:
            command = await self._channel.ask(command)
        exchange = Exchange(command, asked, instead=self._exchanges.doubt)
        if exchange.verb.flow is not None:
            exchange.transfer = self._channel.begin(command, self._login.restart)
            self._transfers.add(exchange.transfer)
        if command.verb == "ABOR":
            self._abort()
        self._exchanges.add(exchange)
        self._patience.for_reply()
        if asked.signalled and command.verb in INTERRUPTING:
            self.session.urge(SERVER, SYNCH)
        self.session.send(SERVER, command.line())

    def _abort(self) -> None:
        """Nobody waits any more for the data of the transfer that is on."""
        for exchange in self._exchanges:
            if exchange.transfer is not None:
                exchange.transfer.give_up()

    def _settle(self, doubt: Exchange) -> None:
        """Ask something whose answer can't be that to C{doubt}: servers keep the order."""
        self._exchanges.add(Exchange(Command(PROBE), silent=True, instead=doubt))
        self._patience.for_reply()
        self.session.send(SERVER, Command(PROBE).line())

    def _settled(self, doubt: Exchange) -> None:
        """C{doubt} won't be answered any more, if it was not."""
        if doubt in self._exchanges:
            doubt.record(self.session, PASSED, "the server answered ABOR only once")
            self._exchanges.remove(doubt)

    def _answer(self, command: Command | None, refused: Refused) -> None:
        """In the server's place."""
        asked = Exchange(command or Command("(unknown)"))
        answer = str(refused.reply.code)
        asked.record(self.session, DENIED, refused.reason, refused.by, answer=answer)
        self.session.send(CLIENT, refused.reply.written())
        if not self._exchanges:
            self._patience.for_command()

    def _record_denied(self, command: Command | None, denied: Denied) -> None:
        asked = Exchange(command or Command("(unknown)"))
        asked.record(self.session, DENIED, denied.reason, denied.by)

    # What the server sends

    async def from_server(self, read: Reader) -> None:
        """Replies."""
        while await read.more():
            if self._encrypting:
                raise Denied("the server sent plaintext after it had agreed to encrypt")
            reply = await self._reply(read)
            if self._exchanges:
                await self._take_reply(self._exchanges.answered_by(reply), reply, read)
            elif reply.code == 421:  # it shuts down (RFC 959, section 5.4)
                self.session.send(CLIENT, reply.written())
            elif self._client is None or not self._client.ended:  # else: goodbye to nobody
                raise Denied(f"the server sent {reply.code}, which answers no command")
        self._exchanges.over = True
        self._exchanges.go_on()

    async def _reply(self, read: Reader) -> Reply:
        settings = self._settings
        return await Reply.read(read, settings.reply_line_bytes, settings.reply_bytes)

    async def _take_reply(self, exchange: Exchange, reply: Reply, read: Reader) -> None:
        try:
            self._check_reply(exchange, reply)
        except Denied as denied:
            self._record_denied(exchange.command, denied)
            raise
        exchange.replies.append(reply)
        exchange.begun = exchange.begun or reply.preliminary
        if reply.preliminary:
            self._patience.wait()
            self._show(exchange, reply)
        else:
            await self._complete(exchange, reply, read)
        self._exchanges.go_on()

    def _check_reply(self, exchange: Exchange, reply: Reply) -> None:
        """@raise Denied: it can't be the answer to that, or the policy does not have it."""
        fault = exchange.fault(reply)
        if fault:
            raise Denied(f"the server sent {reply.code} to {exchange.command}: {fault}")
        if exchange.instead is None or not exchange.silent:
            self._rights.check_reply(exchange.command, reply)

    async def _complete(self, exchange: Exchange, reply: Reply, read: Reader) -> None:
        """The last reply to a command."""
        command = exchange.command
        self._login.answered(command, reply)
        if command.verb in ANNOUNCING:
            reply = await self._channel.answered(reply)
            exchange.port = self._channel.port if reply.completed else 0
        elif exchange.transfer is not None:
            reply = await self._transferred(exchange, exchange.transfer, reply)
        self._show(exchange, reply)
        if exchange.instead is not None:
            self._settled(exchange.instead)
        if exchange.instead is None or not exchange.silent:
            exchange.record(self.session, PASSED)
        if command.verb == "AUTH" and reply.completed:
            self._encrypt()
        if self._rights.wants_directory and command.verb in _MOVING and reply.completed:
            self._rights.directory = await self._directory(read)
        self._exchanges.remove(exchange)
        self._answered()

    def _show(self, exchange: Exchange, reply: Reply) -> None:
        if not exchange.silent:
            shown = self._texts.shown(exchange.command.verb, reply)
            self.session.send(CLIENT, shown.written())

    def _answered(self) -> None:
        """Whose turn is it?"""
        if self._login.complete:
            self._patience.logged_in()
        if not self._exchanges:
            self._patience.for_command()
        elif self._exchanges.last.transfer is None:
            self._patience.for_reply()
        else:
            self._patience.wait()

    def _encrypt(self) -> None:
        """@raise Denied: the client has sent plaintext already, to be taken for encrypted."""
        if self._client is not None and not self._client.empty:
            raise Denied(_BEHIND_AUTH)
        self._encrypting = True

    async def _transferred(self, exchange: Exchange, transfer: Transfer, reply: Reply) -> Reply:
        """The reply does not overtake the data."""
        if reply.completed:
            exchange.begun = True
            self._patience.wait()
            self._exchanges.go_on()  # ABOR may come
            await self._delivered(transfer)
        elif not exchange.begun or not transfer.linked:
            transfer.abandon("the server refused the transfer")
        self._transfers.discard(transfer)
        transfer.record(self.session, reply.code)
        if reply.completed or transfer.refused:
            return transfer.answer or reply
        return reply

    async def _delivered(self, transfer: Transfer) -> None:
        if transfer.overtaken:
            await transfer.arrived()
        if transfer.data is None:
            transfer.abandon("the server says that it is done")
        else:
            await transfer.done()

    async def _directory(self, read: Reader) -> bytes | None:
        """Ask the server for its working directory."""
        self.session.send(SERVER, b"PWD\r\n")
        if not await read.more():
            return None
        reply = await self._reply(read)
        if reply.code != 257 and reply.code < 400:
            raise Denied(f"the server sent {reply.code} to PWD")
        return quoted(reply.text) if reply.code == 257 else None

    # The end

    def closed(self, verdict: Verdict) -> None:
        """With the control connection, transfers end that nobody can be told of any more."""
        super().closed(verdict)
        self._channel.abandon()
        for transfer in tuple(self._transfers):
            if transfer.data is not None:
                transfer.record(transfer.data, None)
            if verdict.outcome is not Outcome.PASSED:
                transfer.drop("the control connection is over")

"""Asking: what the client of a control connection wants, and what passes to the server of it."""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import SERVER, Address, Denied, Unreachable
from protocols.ftp.channel import ANNOUNCING
from protocols.ftp.command import SYNCH, Command
from protocols.ftp.dialogue import Dialogue
from protocols.ftp.exchange import GREETED, Exchange
from protocols.ftp.exchanges import INTERRUPTING, PROBE
from protocols.ftp.login import MOST
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Refused
from protocols.ftp.verbs import AUTH, REFUSED, SECURITY, VERBS

_UNKNOWN = Reply(500, b"That is no command.")
_NOT_HERE = Reply(502, b"That command is not allowed here.")
_NO_TLS = Reply(534, b"Encryption is not allowed here.")
_AUTH_FIRST = Reply(503, b"Please send AUTH first.")
_SYNTAX = Reply(501, b"That is no argument for this command.")
_UNSUPPORTED = Reply(504, b"That is not supported here.")
_GOODBYE = b"421 That is not allowed here; goodbye.\r\n"
_BYE = Reply(221, b"Goodbye.")
_SILENT = Reply(421, b"That server does not answer.")

_PARAMETERS = frozenset({"TYPE", "STRU", "MODE", "OPTS", "AUTH"})

BEHIND_AUTH = "the client sent plaintext behind AUTH, to be taken for encrypted"


class Asking:
    """Commands: read one after the other, refused, or passed when it is their turn."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._session = dialogue.session
        self._settings = dialogue.settings
        self._exchanges = dialogue.exchanges
        self._spoken = False

    async def commands(self, read: Reader) -> None:
        """
        Until the client has gone, and got what it had asked for before; or until the two speak TLS.

        @raise Denied: something ends the session.
        """
        while await read.more() and not self._dialogue.encrypting:
            command = self._parse(await read.line(self._settings.command_bytes))
            self._check_plaintext()
            await self._exchanges.turn(command, self._settle)
            await self._take(command)
        if not self._dialogue.encrypting:
            await self._exchanges.turn(None, self._settle)
            self._session.done()

    def _parse(self, line: bytes) -> Command | None:
        """@raise Denied: it is something else than FTP. An empty line may be anything."""
        command = Command.parse(line)
        known = command is not None and (command.verb in VERBS or command.verb in REFUSED)
        if line and not self._spoken:
            if not known:
                raise Denied(f"the client does not speak FTP: it begins with {line[:40]!r}")
            self._spoken = True
        return command

    def _check_plaintext(self) -> None:
        """@raise Denied: a command came behind AUTH, to be taken for an encrypted one."""
        if self._exchanges and self._exchanges.last.command.verb == "AUTH":
            raise Denied(BEHIND_AUTH)

    async def _take(self, command: Command | None) -> None:
        """Pass it, or answer it."""
        try:
            if command is None:
                raise Refused(_UNKNOWN)
            await self._take_known(command)
        except Refused as refused:
            self._dialogue.refuse(command, refused)
        except Denied as denied:
            self._dialogue.record_denied(command, denied)
            raise

    async def _take_known(self, command: Command) -> None:
        target = self._dialogue.target
        if command.verb == "QUIT" and not target.there:
            self._dialogue.tell(_BYE)
            self._session.close("the client quit before it had named a server")
            return
        sent = command
        if command.verb in VERBS or self._may_encrypt(command):
            sent = target.named(command)
        self._check(sent)
        if target.there or await self._reach():
            await self._pass(sent, command)

    # What is allowed

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
        out_of_order = self._dialogue.login.refusal(command)
        if out_of_order is not None:
            raise Refused(out_of_order)
        self._dialogue.rights.check(command)

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

    # What passes

    async def _pass(self, command: Command, asked: Command) -> None:
        """Send a command, for one that the client C{asked}."""
        dialogue = self._dialogue
        if command.verb in ANNOUNCING:
            command = await dialogue.channel.ask(command)
        exchange = Exchange(command, asked, instead=self._exchanges.doubt)
        if exchange.verb.flow is not None:
            exchange.transfer = dialogue.channel.begin(command, dialogue.login.restart)
            dialogue.transfers.add(exchange.transfer)
        if command.verb == "ABOR":
            self._abort()
        self._exchanges.add(exchange)
        dialogue.passed()
        dialogue.patience.for_reply()
        if asked.signalled and command.verb in INTERRUPTING:
            self._session.urge(SERVER, SYNCH)
        self._session.send(SERVER, command.line())
        if dialogue.gone:
            dialogue.left()

    def _abort(self) -> None:
        """Nobody waits any more for the data of the transfer that is on."""
        for exchange in self._exchanges:
            if exchange.transfer is not None:
                exchange.transfer.give_up()

    def _settle(self, doubt: Exchange) -> None:
        """Ask something whose answer can't be that to C{doubt}: servers keep the order."""
        self._exchanges.add(Exchange(Command(PROBE), silent=True, instead=doubt))
        self._dialogue.patience.for_reply()
        self._session.send(SERVER, Command(PROBE).line())

    # A server that the client names

    async def _reach(self) -> bool:
        """Connect to the server that the client has named; whether it lets anybody in."""
        dialogue = self._dialogue
        try:
            self.reached(await dialogue.target.reach())
        except Unreachable as error:
            self.unreachable(error)
            return False
        greeting = Exchange(Command(GREETED), silent=True)
        self._exchanges.add(greeting)
        dialogue.patience.for_reply()
        await self._exchanges.turn(None, self._settle)
        last = greeting.replies[-1]
        if not last.completed:
            reply = Reply(421, last.text, last.before)
            dialogue.part(reply, "the server does not let anybody in")
        return last.completed

    def reached(self, address: Address) -> Address:
        """The server is there."""
        self._dialogue.channel.reached = address
        return address

    def unreachable(self, error: Unreachable) -> None:
        """It is not."""
        self._dialogue.part(_SILENT, f"server unreachable: {error}")

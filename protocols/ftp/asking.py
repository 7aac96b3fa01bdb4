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
from protocols.ftp.verbs import REFUSED, SECURE, VERBS

_UNKNOWN = Reply(500, b"That is no command.")
_SYNTAX = Reply(501, b"That is no argument for this command.")
_UNSUPPORTED = Reply(504, b"That is not supported here.")
_BYE = Reply(221, b"Goodbye.")
_SILENT = Reply(421, b"That server does not answer.")

_PARAMETERS = frozenset({"TYPE", "STRU", "MODE", "OPTS", "AUTH", "PROT"})

BEHIND_AUTH = "the client sent plaintext behind AUTH, to be taken for encrypted"


class Asking:
    """Commands: read one after the other, refused, or passed when it is their turn."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._session = dialogue.session
        self._settings = dialogue.settings
        self._exchanges = dialogue.exchanges
        self._spoken = False

    async def commands(self, read: Reader) -> bool:
        """
        Until the client has gone, and got what it had asked for before; or until TLS begins.

        @return: whether TLS begins.
        @raise Denied: something ends the session.
        """
        protection = self._dialogue.protection
        while await read.more() and not protection.encrypting:
            command = self._parse(await read.line(self._settings.command_bytes))
            self._check_plaintext()
            await self._exchanges.turn(command, self._settle)
            await self._take(command)
        if protection.encrypting:
            return True
        await self._exchanges.turn(None, self._settle)
        self._session.done()
        return False

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
        protection, sent = self._dialogue.protection, command
        if command.verb in VERBS or protection.passes(command):
            sent = target.named(command)
        self._check(sent)
        if target.there or await self._reach():
            await self._pass(protection.sent(sent), command)

    # What is allowed

    def _check(self, command: Command) -> None:
        """@raise Refused: it is answered here."""
        protection, secures = self._dialogue.protection, command.verb in SECURE
        if command.verb not in VERBS and not protection.passes(command):
            raise protection.refusal(command)
        verb = SECURE[command.verb] if secures else VERBS[command.verb]
        if not verb.fits(command.argument):
            known = command.argument is not None and command.verb in _PARAMETERS
            wrong = _UNSUPPORTED if known else _SYNTAX
            raise Refused(wrong, f"not an argument of {command}")
        if command.verb == "REST" and int(command.argument or b"0") >= MOST:
            raise Refused(_SYNTAX, "no file is that long")
        protection.check(command)
        if secures:
            return
        out_of_order = self._dialogue.login.refusal(command)
        if out_of_order is not None:
            raise Refused(out_of_order)
        self._dialogue.rights.check(command)

    # What passes

    async def _pass(self, command: Command, asked: Command) -> None:
        """Send a command, for one that the client C{asked}."""
        dialogue = self._dialogue
        if command.verb in ANNOUNCING:
            command = await dialogue.channel.ask(command)
        exchange = Exchange(command, asked, instead=self._exchanges.doubt)
        if exchange.verb.flow is not None:
            protected = dialogue.protection.for_data
            exchange.transfer = dialogue.channel.begin(command, dialogue.login.restart, protected)
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

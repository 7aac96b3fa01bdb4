"""
The Dialogue: what both directions of one control connection know, and how it ends.

Whoever has to end it for the server's fault says goodbye to the client first (421, RFC 959,
section 5.4). A client that is gone ends it as soon as nothing goes on that could end by itself.
"""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, Denied, ISession, Outcome
from protocols.ftp.channel import DataChannel
from protocols.ftp.command import Command
from protocols.ftp.exchange import Exchange
from protocols.ftp.exchanges import Exchanges
from protocols.ftp.login import Login
from protocols.ftp.patience import Patience
from protocols.ftp.protection import Protection
from protocols.ftp.reply import Reply
from protocols.ftp.rights import Refused, Rights
from protocols.ftp.settings import FtpSettings
from protocols.ftp.target import Target
from protocols.ftp.texts import Texts
from protocols.ftp.transfer import Transfer
from protocols.tls.upgrade import Pair

PASSED, DENIED, FAILED = Outcome.PASSED.value, Outcome.DENIED.value, Outcome.FAILED.value

_UNKNOWN = Command("(unknown)")
_BYE = Reply(221, b"Goodbye.")
_TOO_MANY = b"421 Too many commands were refused; goodbye.\r\n"


class Dialogue:
    """
    The state of one control connection.

    @ivar transfers: those that were begun, and whose last reply the client has not got.
    @ivar client: what the client has sent; C{None} before it did.
    @ivar is_over: nobody is to be told anything any more.
    """

    def __init__(self, session: ISession) -> None:
        settings: FtpSettings = session.settings
        self.session = session
        self.settings = settings
        self.rights = Rights(settings)
        self.texts = Texts(settings, self.rights)
        self.login = Login()
        self.channel = DataChannel(session)
        self.protection = Protection(settings)
        self.patience = Patience(session, settings, self.protection)
        self.target = Target(session, settings)
        self.exchanges = Exchanges()
        self.transfers: set[Transfer] = set()
        self.client: Reader | None = None
        self.is_over = False
        self._refused = 0

    # Answers of the gateway's own

    def tell(self, reply: Reply) -> None:
        """Answer to the client."""
        self.session.send(CLIENT, reply.written())

    def refuse(self, command: Command | None, refused: Refused) -> None:
        """
        Answer in the server's place.

        @raise Denied: that was once too often.
        """
        asked = Exchange(command or _UNKNOWN)
        answer = str(refused.reply.code)
        asked.record(self.session, DENIED, refused.reason, refused.by, answer=answer)
        self._refused += 1
        if self._refused == self.settings.errors:
            reason = f"{self._refused} commands in a row were refused: {refused.reason}"
            raise Denied(reason, refused.reply.written() + _TOO_MANY, "errors")
        self.tell(refused.reply)
        if not self.exchanges:
            self.patience.for_command()

    def passed(self) -> None:
        """A command went to the server: what is refused is counted from here."""
        self._refused = 0

    def record_denied(self, command: Command | None, denied: Denied) -> None:
        """A command, or what was answered to it, ends the session."""
        Exchange(command or _UNKNOWN).record(self.session, DENIED, denied.reason, denied.by)

    def secure(self, agreed: Pair) -> None:
        """The two speak TLS: whoever has logged in before has to do so again (RFC 2228)."""
        self.login = Login()
        self.patience.begin()
        self.channel.abandon()
        self.protection.secure(agreed)

    @property
    def about(self) -> str:
        """Whether somebody is logged in, what is to be answered, and what is transferred."""
        said = ["logged in" if self.login.complete else "not logged in"]
        waiting = [str(each.command) for each in self.exchanges if each.transfer is None]
        said += [f"{verb} is to be answered" for verb in waiting]
        return "; ".join((*said, *(each.about for each in self.transfers)))

    # The end

    def part(self, reply: Reply, reason: str, outcome: Outcome = Outcome.FAILED) -> None:
        """Say why, and end the session; who waits for TLS can't be told in plain text."""
        if not self.protection.encrypting:
            self.tell(reply)
        self.over(reason)
        self.session.close(reason, outcome)

    def quit(self) -> None:
        """The server has closed in place of an answer to QUIT."""
        self.tell(_BYE)
        self.session.done()

    @property
    def quits(self) -> bool:
        """Whether the server was asked for nothing but to end this."""
        waiting = [exchange.command.verb for exchange in self.exchanges]
        return waiting == ["QUIT"]

    @property
    def gone(self) -> bool:
        """Whether the client will send no more."""
        return self.client is not None and self.client.ended

    def left(self) -> None:
        """The client has gone, and its data connections will not come."""
        for transfer in self.transfers:
            if transfer.hopeless:
                reason = f"the client left before the data connection of {transfer.command} came"
                self.over(reason)
                self.session.close(reason)
                return
        self.patience.left(self._flows)

    def _flows(self) -> bool:
        return any(transfer.flows for transfer in self.transfers)

    def over(self, why: str) -> None:
        """
        Record what was not answered. With the control connection, transfers end: nobody can be
        told any more whether they were complete.
        """
        self.is_over = True
        self.patience.release()  # else it and its deadlines would keep each other
        self.channel.abandon()
        for exchange in self.exchanges.clear():
            if not exchange.silent and exchange.asks:
                exchange.record(self.session, FAILED, why)
        transfers, self.transfers = self.transfers, set()
        for transfer in transfers:
            transfer.record(self.session, None, why)
            transfer.drop("the control connection is over")

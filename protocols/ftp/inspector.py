"""
The FtpInspector: one control connection.

Commands go to the server one at a time: the next one is passed when the one
before is answered. So what a client sends ahead waits where it is read, every
reply has its command, and a reply without one is seen. Only ABOR and STAT
may come while a transfer is on.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    ISession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from protocols.ftp.answering import Answering
from protocols.ftp.asking import Asking
from protocols.ftp.command import Command
from protocols.ftp.dialogue import Dialogue
from protocols.ftp.exchange import GREETED, Exchange
from protocols.ftp.judging import judge
from protocols.ftp.reply import Reply
from protocols.ftp.settings import FtpSettings
from protocols.ftp.target import GREETING
from protocols.tls.upgrade import Reach, Unsafe, Upgrade

AHEAD = 4096
"""
Bytes of commands that are read before it is their turn. A client's end is behind them: it is
to be noticed though something is pending.
"""

_HELLO = b"\x16\x03"
"""How TLS begins: a handshake, of version 3."""


class FtpInspector(StreamInspector):
    """Every command, every reply and every data connection of one client."""

    Settings = FtpSettings

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._dialogue = Dialogue(session)
        self._asking = Asking(self._dialogue)
        self._answering = Answering(self._dialogue)

    @staticmethod
    def judge(settings: FtpSettings, connection: Any, asks: Any) -> Any:
        """For C{tproxygw explain}; see L{protocols.ftp.judging}."""
        return judge(settings, asks)

    def started(self) -> None:
        """The server speaks first; where nobody knows yet which one, the gateway does."""
        dialogue = self._dialogue
        dialogue.patience.begin()
        if dialogue.settings.implicit:
            dialogue.exchanges.add(Exchange(Command(GREETED)))
            return
        if dialogue.target.wanted:
            dialogue.tell(dialogue.texts.greeting(GREETING))
            return
        dialogue.exchanges.add(Exchange(Command(GREETED)))
        self.session.connect().addCallbacks(self._asking.reached, self._unreachable)

    def _unreachable(self, failure: Failure) -> Failure | None:
        if not isinstance(failure.value, Unreachable):
            return failure
        self._asking.unreachable(failure.value)
        return None

    async def from_client(self, read: Reader) -> None:
        """Commands."""
        self._dialogue.client = read
        try:
            await self._hear(read)
        except Denied as denied:
            self._dialogue.over(denied.reason)
            raise

    async def _hear(self, read: Reader) -> None:
        """@raise Denied: something ends the session."""
        settings = self._dialogue.settings
        if settings.implicit:
            await self._encrypt(read, "implicit", self._reach)
        while await self._asking.commands(read):
            if settings.auth == "release":
                await self._let_go(read)
                return
            await self._encrypt(read, "auth")

    def _reach(self) -> Deferred[Address]:
        return self.session.connect().addCallback(self._asking.reached)

    async def _encrypt(self, read: Reader, place: str, reach: Reach | None = None) -> None:
        """
        Speak TLS with both.

        @param place: the setting that has it so.
        @param reach: connects to the server, if that is not there yet.
        @raise Denied: the policy has no such server, or the client does not speak TLS.
        """
        dialogue = self._dialogue
        dialogue.patience.wait()
        upgrade = Upgrade(self.session, dialogue.settings.tls, place, ("ftp",))
        try:
            dialogue.secure(await upgrade.agree(read, reach))
        except Unsafe as unsafe:
            dialogue.protection.secure(None)
            reply = Reply(421, unsafe.words)
            if unsafe.outcome is Outcome.DENIED:
                raise Denied(unsafe.reason, reply.written(), unsafe.by) from None
            dialogue.part(reply, unsafe.reason)

    async def _let_go(self, read: Reader) -> None:
        """The two have agreed to encrypt, and the policy is to let them."""
        hello = await read.exactly(len(_HELLO), len(_HELLO))
        if hello != _HELLO:
            raise Denied("the client agreed to encrypt, and does not")
        self._dialogue.patience.release()
        self.session.send(SERVER, hello)
        self.release()

    async def from_server(self, read: Reader) -> None:
        """Replies."""
        try:
            await self._answering.replies(read)
        except Denied as denied:
            self._dialogue.over(denied.reason)
            raise

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        """The client is read on for a while, though it is not yet the turn of what it said."""
        decision = super().received(side, data)
        if side is SERVER or decision is None or self.unread(CLIENT) > AHEAD:
            return decision
        decision.addErrback(self._failed)
        return None

    def _failed(self, failure: Failure) -> None:
        """What the session would have been told, had it waited for the decision."""
        error = failure.value
        if isinstance(error, Denied):
            self.session.deny(error.reason, error.reply)
        elif not isinstance(error, CancelledError):
            self.session.after(0, failure.raiseException)

    def ended(self, side: Side) -> Deferred[Any] | None:
        """A client that is gone does not keep the server."""
        decision = super().ended(side)
        if side is CLIENT and self._dialogue.exchanges:
            self._dialogue.left()
        return decision

    def lost(self, side: Side, verdict: Verdict) -> None:
        """The client hears of it if the server is lost."""
        if side is SERVER:
            self._answering.lost(verdict)

    def about(self) -> str:
        """See L{IInspector.about<gateway.interfaces.IInspector.about>}."""
        return self._dialogue.about

    def closed(self, verdict: Verdict) -> None:
        """Record what did not come to its end."""
        super().closed(verdict)
        self._dialogue.over(verdict.reason or "the connection ended")

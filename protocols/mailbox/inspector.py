"""
The MailboxInspector: one session, in plain text until both go over to TLS.

Commands go to the server one at a time: the next one is passed when the one before is
answered, and the client has all of the answer. So what a client sends ahead waits, every
answer has its command, and one without is seen.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

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
from protocols.mailbox.answering import Answering
from protocols.mailbox.dialogue import Dialogue, Settings
from protocols.tls.upgrade import Reach, Unsafe, Upgrade


class Asking(Protocol):
    """The client's direction."""

    async def commands(self, read: Reader) -> bool:
        """
        Until the client has gone, or TLS begins.

        @return: whether TLS begins.
        """


class MailboxInspector(StreamInspector):
    """
    Every command, every answer and every message of one client.

    @cvar alpn: what the protocol is called in TLS (RFC 7301's registry).
    @cvar upgrade: the setting for TLS within the session.
    """

    alpn: ClassVar[str]
    upgrade: ClassVar[str]

    def __init__(
        self, session: ISession, dialogue: Dialogue, asking: Asking, answering: Answering[Any]
    ) -> None:
        super().__init__(session)
        self._settings: Settings = session.settings
        self._dialogue = dialogue
        self._asking = asking
        self._answering = answering

    def started(self) -> None:
        """The server speaks first; in TLS from the first byte on, the client does."""
        self._dialogue.begin()
        if not self._settings.implicit:
            self.session.connect().addErrback(self._unreachable)

    def _unreachable(self, failure: Failure) -> Failure | None:
        if not isinstance(failure.value, Unreachable):
            return failure
        self._answering.unreachable(failure.value)
        return None

    async def from_client(self, read: Reader) -> None:
        """Commands."""
        self._dialogue.client = read
        try:
            await self._hear(read)
        except Denied as denied:
            self._dialogue.over(denied.reason, denied)
            raise

    async def _hear(self, read: Reader) -> None:
        """@raise Denied: something ends the session."""
        if self._settings.implicit and not await self._encrypt(read, "implicit", self._connect):
            return
        while await self._asking.commands(read):
            if not await self._encrypt(read, self.upgrade):
                return

    def _connect(self) -> Deferred[Address]:
        connected: Deferred[Address] = self.session.connect()
        return connected

    async def _encrypt(self, read: Reader, place: str, reach: Reach | None = None) -> bool:
        """
        Speak TLS with both.

        @param place: the setting that has it so.
        @param reach: connects to the server, if that is not there yet.
        @return: whether there is a server.
        @raise Denied: the policy has no such server, or the client does not speak TLS.
        """
        dialogue = self._dialogue
        upgrade = Upgrade(self.session, self._settings.tls, place, (self.alpn,))
        try:
            await upgrade.agree(read, reach)
        except Unsafe as unsafe:
            dialogue.secure(secured=False)
            reply = dialogue.parting(unsafe.words)
            if unsafe.outcome is Outcome.DENIED:
                raise Denied(unsafe.reason, reply.written(), unsafe.by) from None
            dialogue.part(reply, unsafe.reason)
            return False
        dialogue.secure(secured=True)
        return True

    async def from_server(self, read: Reader) -> None:
        """Answers."""
        try:
            await self._answering.replies(read)
        except Denied as denied:
            self._dialogue.over(denied.reason, denied)
            raise

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

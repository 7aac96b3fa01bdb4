"""Stacked: the whole message, on its way through the inspector of another service."""

from __future__ import annotations

from typing import Any
from zlib import adler32

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from gateway.envelope import Envelope, Readdressed
from gateway.interfaces import IMailSink, ISession, Outcome
from protocols.mime.lines import Rules, Whole
from protocols.mime.unfit import Rejected


@implementer(IMailSink)
class Stacked:
    """
    One message's sink: what the stacked inspector lets through waits here for
    whoever asks for it next. It is lines again, whatever that inspector did.

    @param service: whose inspector it is.
    @param line_bytes: the longest line of what comes back.
    @ivar verdict: C{passed}, C{changed} or C{denied}; empty while nobody knows.
    @ivar to: the envelope that it is to have; C{None}: the one that it has.
    """

    def __init__(
        self, session: ISession, service: str, line_bytes: int, envelope: Envelope
    ) -> None:
        self._whole = Whole(Rules(True, line_bytes))
        self.verdict = ""
        self.to: Readdressed | None = None
        self._service = service
        self._sums = [1, 1]  # of what went in, and what came out
        self._ready: list[bytes] = []
        self._refused: Rejected | None = None
        self._over = self._feeding = False
        self._awaited: Deferred[None] | None = None
        self._flushing: Deferred[None] | None = None
        self._body: Any = session.stack(service, self, envelope)

    # For the message

    async def feed(self, block: bytes) -> bytes:
        """
        The next block; what came out so far is given back.

        @raise Unfit: the message was refused; here and below.
        """
        self._sums[0] = adler32(block, self._sums[0])
        self._feeding = True
        decision = self._body.send(block)
        if decision is not None:
            await decision
        self._feeding = False
        return self._take()

    def end(self) -> None:
        """The message is complete: L{rest} is what comes out yet."""
        self._body.end()

    async def rest(self) -> bytes:
        """
        The next piece that comes out; empty when that was all.

        @raise Unfit: see L{feed}.
        """
        while self._refused is not None or not self.verdict:
            piece = self._take()
            if not piece and self._over:
                piece = self._whole.end()
                self.verdict = "passed" if self._sums[0] == self._sums[1] else "changed"
            if piece:
                return piece
            if not self._over:
                await self._more()
        return b""

    async def _more(self) -> None:
        awaited = self._awaited = Deferred()
        flushing, self._flushing = self._flushing, None
        if flushing is not None:
            flushing.callback(None)
        await awaited

    def record(self) -> dict[str, str]:
        """Fields of the audit record."""
        return {"service": self._service, "verdict": self.verdict} if self.verdict else {}

    def cancel(self) -> None:
        """There will be no rest."""
        self._body.cancel()

    def _take(self) -> bytes:
        if self._refused is not None:
            raise self._refused
        ready, self._ready = self._ready, []
        self._whole.feed(b"".join(ready))
        return b"".join(iter(self._whole.block, b""))

    # For the stacked inspector

    def readdressed(self, to: Readdressed) -> None:
        """See L{IMailSink.readdressed}. Who sends it on looks at that before anything else."""
        self.to = to

    def received(self, data: bytes) -> None:
        """See L{ISink.received}."""
        self._sums[1] = adler32(data, self._sums[1])
        self._ready.append(data)
        self._tell()

    def flushed(self) -> Deferred[None]:
        """See L{ISink.flushed}: all is taken while the message comes; then, as it is asked for."""
        if not self._ready or self._feeding:
            return succeed(None)
        self._flushing = Deferred()
        return self._flushing

    def ended(self) -> None:
        """See L{ISink.ended}."""
        self._over = True
        self._tell()

    def denied(self, reason: str, reply: bytes, outcome: Outcome) -> None:
        """See L{ISink.denied}."""
        failed = outcome is Outcome.FAILED
        self.verdict = "failed" if failed else "denied"
        self._refused = Rejected(reason, reply, failed)
        self._over = True
        self._tell()

    def _tell(self) -> None:
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.callback(None)

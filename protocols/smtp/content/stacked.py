"""Stacked: the whole message, on its way through the inspector of another service."""

from __future__ import annotations

from typing import Any
from zlib import adler32

from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import ISession, ISink
from protocols.smtp.content.lines import Whole
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply, configured
from protocols.smtp.settings import SMTPSettings

REFUSED = Reply.of(550, "5.7.1 The message was refused")


@implementer(ISink)
class Stacked:
    """
    One message's sink: what the stacked inspector lets through waits here for
    whoever asks for it next. It is lines again, whatever that inspector did.

    @ivar verdict: C{passed}, C{changed} or C{denied}; empty while nobody knows.
    """

    def __init__(self, session: ISession, settings: SMTPSettings) -> None:
        self._whole = Whole(True, settings.line_bytes)
        self.verdict = ""
        self._service = settings.stack
        self._sums = [1, 1]  # of what went in, and what came out
        self._ready: list[bytes] = []
        self._refused: Refusal | None = None
        self._over: Deferred[None] = Deferred()
        self._body: Any = session.stack(settings.stack, self)

    # For the message

    async def feed(self, block: bytes) -> bytes:
        """
        The next block; what came out so far is given back.

        @raise Refusal: the message was refused; here and below.
        """
        self._sums[0] = adler32(block, self._sums[0])
        decision = self._body.send(block)
        if decision is not None:
            await decision
        return self._take()

    async def end(self) -> bytes:
        """The message is complete; its rest is given back when it was decided upon."""
        self._body.end()
        await self._over
        rest = self._take() + self._whole.end()
        self.verdict = "passed" if self._sums[0] == self._sums[1] else "changed"
        return rest

    def record(self) -> dict[str, str]:
        """Fields of the audit record."""
        return {"service": self._service, "verdict": self.verdict} if self.verdict else {}

    def cancel(self) -> None:
        """There will be no rest."""
        self._body.cancel()

    def _take(self) -> bytes:
        if self._refused is not None:
            raise self._refused
        ready, self._ready = b"".join(self._ready), []
        return self._whole.feed(ready)

    # For the stacked inspector

    def received(self, data: bytes) -> None:
        """See L{ISink.received}."""
        self._sums[1] = adler32(data, self._sums[1])
        self._ready.append(data)

    def ended(self) -> None:
        """See L{ISink.ended}."""
        self._decide()

    def denied(self, reason: str, reply: bytes) -> None:
        """See L{ISink.denied}. A reply that is one of SMTP's is the client's."""
        self.verdict = "denied"
        self._refused = Refusal(_reply(reply), reason)
        self._decide()

    def _decide(self) -> None:
        if not self._over.called:
            self._over.callback(None)


def _reply(reply: bytes) -> Reply:
    try:
        return configured(reply.decode("ascii").removesuffix("\r\n"))
    except ValueError:
        return REFUSED

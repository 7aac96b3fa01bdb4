"""
Stacked: a body on its way through the inspector of another service.

That one may change the body, so its length is not known before its end: it
leaves in chunks, or until the connection closes. Nothing of the message, not
even its head, leaves before the other inspector lets something through, so that what it
refuses at once can be answered with a page.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import ISession, ISink
from protocols.http.body import Body
from protocols.http.malformed import Malformed
from protocols.http.message import Headers
from protocols.http.status import FORBIDDEN
from protocols.http.transfer import Send

_FRAMING = frozenset({"content-length", "trailer", "transfer-encoding"})


def reframed(headers: Headers, chunked: bool) -> Headers:
    """The headers of a message whose body may become another one."""
    kept = headers.only(lambda name: name.lower() not in _FRAMING)
    return kept.replaced("Transfer-Encoding", "chunked") if chunked else kept


@implementer(ISink)
class Sink:
    """
    Takes what the stacked inspector lets through.

    @param head: of the message; it leaves with the first piece.
    @param chunked: whether the body leaves in chunks.
    """

    def __init__(self, head: bytes, chunked: bool, send: Send) -> None:
        self._held = head
        self._chunked = chunked
        self._send = send
        self._refused: str | None = None
        self._finished: Deferred[None] | None = None
        self._complete = False

    def received(self, data: bytes) -> None:
        """Send the next piece."""
        if data and self._refused is None:
            self._put(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    def ended(self) -> None:
        """The body is complete."""
        if self._refused is not None:
            return
        self._put(b"0\r\n\r\n" if self._chunked else b"")
        self._complete = True
        self._finish()

    def denied(self, reason: str, reply: bytes) -> None:
        """The body must not pass. What the other inspector would reply is not HTTP."""
        self._refused = reason
        self._finish()

    def check(self) -> None:
        """@raise Malformed: the stacked inspector refused the body."""
        if self._refused is not None:
            raise Malformed(self._refused, None, FORBIDDEN)

    async def finished(self) -> None:
        """
        Wait until the body came to its end, one way or the other.

        @raise Malformed: see L{check}.
        """
        if not self._complete and self._refused is None:
            self._finished = Deferred()
            await self._finished
        self.check()

    def _put(self, data: bytes) -> None:
        held, self._held = self._held, b""
        if held or data:
            self._send(held + data)

    def _finish(self) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            finished.callback(None)


async def through(
    session: ISession, service: str, body: Body, sink: Sink, begun: bytes = b""
) -> None:
    """
    Pass a body through C{service}'s inspector into C{sink}.

    @param begun: what was read of it before.
    @raise Malformed: it was refused, or breaks its framing.
    """
    stacked = session.stack(service, sink)
    complete = False
    try:
        sink.check()
        piece = begun or await body.piece()
        while piece:
            wait = stacked.send(piece)
            if wait is not None:
                await wait
            sink.check()
            piece = await body.piece()
        stacked.end()
        await sink.finished()
        complete = True
    finally:
        if not complete:
            stacked.cancel()

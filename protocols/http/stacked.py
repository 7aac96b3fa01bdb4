"""
Stacked: a body on its way through the inspector of another service.

That one may change the body, so its length is not known before its end: it
leaves in chunks, or until the connection closes, or is held until its length is known (L{Way}).
Nothing of the message, not even its head, leaves before the other inspector lets something
through, so that what it refuses at once can be answered with a page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import ISession, ISink
from protocols.http.body import Body
from protocols.http.malformed import Malformed
from protocols.http.message import FRAMING, Headers, Request, Response
from protocols.http.status import CONTENT_TOO_LARGE, FORBIDDEN
from protocols.http.transfer import Send

_DROPPED = FRAMING | {"trailer"}


def reframed(headers: Headers, chunked: bool) -> Headers:
    """The headers of a message whose body may become another one."""
    kept = headers.only(lambda name: name.lower() not in _DROPPED)
    return kept.replaced("Transfer-Encoding", "chunked") if chunked else kept


class Way(Protocol):
    """How a message, whose headers are L{reframed}, leaves as its body comes."""

    def piece(self, data: bytes) -> bytes:
        """
        What leaves when there is more of the body.

        @raise Malformed: that is too much.
        """

    def end(self) -> bytes:
        """What leaves when that was all."""


class Chunks:
    """In chunks."""

    def __init__(self, message: Request | Response) -> None:
        self._head = message.head()

    def piece(self, data: bytes) -> bytes:
        """See L{Way.piece}."""
        head, self._head = self._head, b""
        return b"%s%x\r\n%s\r\n" % (head, len(data), data)

    def end(self) -> bytes:
        """See L{Way.end}."""
        return self._head + b"0\r\n\r\n"


class UntilClose:
    """As it comes, until the connection closes."""

    def __init__(self, message: Request | Response) -> None:
        self._head = message.head()

    def piece(self, data: bytes) -> bytes:
        """See L{Way.piece}."""
        head, self._head = self._head, b""
        return head + data

    def end(self) -> bytes:
        """See L{Way.end}."""
        return self._head


class Held:
    """Once all of it is there: a server of HTTP/1.0 has to know the length of a request before."""

    def __init__(self, message: Request | Response, most: int) -> None:
        """@param most: bytes that may be held."""
        self._message = message
        self._most = most
        self._held = bytearray()

    def piece(self, data: bytes) -> bytes:
        """See L{Way.piece}."""
        self._held += data
        if len(self._held) > self._most:
            reason = f"a body of HTTP/1.0 of more than {self._most} bytes (stack.held_bytes)"
            raise Malformed(reason, None, CONTENT_TOO_LARGE)
        return b""

    def end(self) -> bytes:
        """See L{Way.end}."""
        headers = self._message.headers.replaced("Content-Length", str(len(self._held)))
        return self._message.with_headers(headers).head() + bytes(self._held)


Ways = Callable[[Request | Response], Way]


@implementer(ISink)
class Sink:
    """
    Takes what the stacked inspector lets through.

    @param way: how the message leaves; L{None}: that is not known yet.
    """

    def __init__(self, way: Way | None, send: Send) -> None:
        self._way = way
        self._send = send
        self._refused: Malformed | None = None
        self._finished: Deferred[None] | None = None
        self._complete = False

    def received(self, data: bytes) -> None:
        """Send the next piece."""
        if not data or self._refused is not None:
            return
        assert self._way is not None
        try:
            self._put(self._way.piece(data))
        except Malformed as malformed:
            self.refuse(malformed)

    def ended(self) -> None:
        """The body is complete."""
        if self._refused is not None:
            return
        assert self._way is not None
        self._put(self._way.end())
        self._complete = True
        self._finish()

    def denied(self, reason: str, reply: bytes) -> None:
        """The body must not pass. What the other inspector would reply is not HTTP."""
        self.refuse(Malformed(reason, None, FORBIDDEN))

    def refuse(self, why: Malformed) -> None:
        """Nothing more of it passes."""
        self._refused = why
        self._finish()

    def check(self) -> None:
        """@raise Malformed: the body is refused."""
        if self._refused is not None:
            raise self._refused

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
        if data:
            self._send(data)

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

"""
Stacked: a body on its way through the inspector of another service.

That one may change the body, so its length is not known before its end: it
leaves in chunks, or until the connection closes, or is held until its length is known (L{Way}).
One that does not (L{ISession.keeps}) leaves the length as it was said.
Nothing of the message, not even its head, leaves before the other inspector lets something
through, so that what it refuses at once can be answered with a page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.envelope import Envelope
from gateway.interfaces import ISession, ISink, Outcome
from protocols.http.body import Body
from protocols.http.malformed import Malformed
from protocols.http.message import Request, Response
from protocols.http.status import FORBIDDEN, SERVICE_UNAVAILABLE


class Way(Protocol):
    """How a message, whose headers fit that, leaves as its body comes."""

    def piece(self, data: bytes) -> bytes:
        """
        What leaves when there is more of the body.

        @raise Malformed: that is too much.
        """

    def end(self) -> bytes:
        """
        What leaves when that was all.

        @raise Malformed: it is too little.
        """


Send = Callable[[bytes], None]

Ways = Callable[[Request | Response], Way]


class Outlet(NamedTuple):
    """
    By which a message leaves.

    @ivar flushed: gives a Deferred that fires when there is room for more.
    """

    send: Send
    flushed: Callable[[], Deferred[None]]


class BodyRefused(Malformed):
    """
    A stacked service does not let a body pass, or can't say.

    @ivar words: of that service, for the client; empty if it has none.
    """

    def __init__(self, reason: str, status: int, words: str, by: str) -> None:
        super().__init__(reason, None, status, by=by)
        self.words = words

    @property
    def failed(self) -> bool:
        """It is no fault of the body: the client may try again."""
        return self.status == SERVICE_UNAVAILABLE


@implementer(ISink)
class Sink:
    """
    Takes what the stacked inspector lets through.

    @param way: how the message leaves; C{None}: that is not known yet.
    @param by: who wants it inspected: see L{Stacked<protocols.http.decision.Stacked>}.
    """

    def __init__(self, way: Way | None, outlet: Outlet, by: str) -> None:
        self._way = way
        self._by = by
        self._outlet = outlet
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
        try:
            self._put(self._way.end())
        except Malformed as malformed:
            self.refuse(malformed)
            return
        self._complete = True
        self._finish()

    def flushed(self) -> Deferred[None]:
        """See L{ISink.flushed}."""
        return self._outlet.flushed()

    def denied(self, reason: str, reply: bytes, outcome: Outcome) -> None:
        """The body must not pass. The other inspector's words are for the page."""
        status = SERVICE_UNAVAILABLE if outcome is Outcome.FAILED else FORBIDDEN
        self.refuse(BodyRefused(reason, status, reply.decode("utf-8", "replace"), self._by))

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
            self._outlet.send(data)

    def _finish(self) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            finished.callback(None)


async def through(
    session: ISession,
    service: str,
    body: Body,
    sink: Sink,
    envelope: Envelope,
    begun: bytes = b"",
) -> None:
    """
    Pass a body through C{service}'s inspector into C{sink}.

    @param begun: what was read of it before.
    @raise Malformed: it was refused, or breaks its framing.
    """
    stacked = session.stack(service, sink, envelope)
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

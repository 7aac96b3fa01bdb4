"""
Watch: whether the client and the server keep to their times.

Nothing is noted when bytes come. Now and then, by one timer for all limits, the watch looks at
what is under way, since when, and how far it has come. It never looks later than the
shortest limit after anything has begun, and then knows when to look again: so limits are exact.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from gateway.interfaces import CLIENT, SERVER, Denied, ISession, Outcome, Side
from protocols.http.body import Body
from protocols.http.http1.dialogue import Dialogue
from protocols.http.status import BAD_REQUEST, GATEWAY_TIMEOUT, REQUEST_TIMEOUT
from protocols.http.transaction import DENIED, FAILED, Transaction

LEAST = 0.25
"""Seconds between two looks."""


class Progress:
    """
    How fast one body comes, where somebody else takes it.

    A window counts only if all that was sent to the other side had left at both its ends. Then
    whoever sends was not held up: what fits into the buffer between is more than what is asked for.

    @param towards: who takes it.
    """

    __slots__ = (
        "_asked",
        "_began",
        "_body",
        "_clear",
        "_flushed",
        "_session",
        "_since",
        "_size",
        "_towards",
    )

    def __init__(self, session: ISession, towards: Side) -> None:
        self._session = session
        self._towards = towards
        self._body: Body | None = None
        self._began = 0.0
        self._since = 0.0
        self._size = 0
        self._clear = False
        self._flushed: Deferred[None] | None = None
        self._asked = 0.0

    def left(self, body: Body, began: float, window: float) -> float:
        """
        Seconds that the present window still has.

        @param began: since when C{body} is read. Another time: it has been read anew since then.
        """
        if body is not self._body or began != self._began:
            self._body, self._began = body, began
            self._since, self._size, self._clear = began, 0, True
        return self._since + window - self._session.now

    def is_slow(self, body: Body, rate: int) -> bool:
        """Whether less than C{rate} came in the window that is over. Another one begins."""
        now, clear, was_clear = self._session.now, self.is_clear(), self._clear
        slow = body.size - self._size < rate * (now - self._since)
        self._since, self._size, self._clear = now, body.size, clear
        return slow and clear and was_clear

    def is_clear(self) -> bool:
        """Whether the other side has taken all."""
        if self._flushed is None or self._flushed.called:
            self._flushed = self._session.flushed(self._towards)
            self._asked = self._session.now
        return self._flushed.called

    def waiting(self) -> float:
        """For how many seconds it has certainly not taken all."""
        return 0.0 if self.is_clear() else self._session.now - self._asked


Reads = Callable[[Side], bool]
"""Whether a side is waited for, and no decision about it."""


def watch(dialogue: Dialogue, reads: Reads) -> None:
    """
    See that a session keeps to its time limits. Nothing is noted before the first one may run
    out, which most sessions don't live to see.
    """
    shortest = dialogue.settings.times.shortest
    if shortest:
        dialogue.session.after(shortest, lambda: Watch(dialogue, reads).look())


class Watch:
    """
    The time limits of one session. Only its timer knows it: with the timer it goes, and no
    circle is left of all that the session had.
    """

    __slots__ = (
        "_answering",
        "_came",
        "_dialogue",
        "_reads",
        "_sending",
        "_session",
        "_shortest",
        "_silent_since",
        "_times",
    )

    def __init__(self, dialogue: Dialogue, reads: Reads) -> None:
        self._dialogue = dialogue
        self._reads = reads
        self._session = dialogue.session
        self._times = times = dialogue.settings.times
        self._sending = Progress(self._session, SERVER)
        self._answering = Progress(self._session, CLIENT)
        self._shortest = times.shortest
        self._came: tuple[Body | None, int] = None, 0
        self._silent_since = 0.0

    def look(self) -> None:
        """
        See what is under way.

        @raise Denied: the client took too long.
        """
        if self._dialogue.left:
            return
        left = self._shortest
        for who in (self._reader, self._client, self._server):
            left = min(left, who())
        self._session.after(max(left, LEAST), self.look)

    def _reader(self) -> float:
        """Seconds until the client may be too slow to take what it asked for."""
        limit = self._times.take_seconds
        if not limit:
            return self._shortest
        left = limit - self._answering.waiting()
        if left <= 0:
            reason = self._reason("the client takes the answer too slowly", "take_seconds")
            if self._dialogue.pending.oldest is not None:
                oldest = self._dialogue.pending.oldest
                self._dialogue.record(oldest, DENIED, reason, by="times.take_seconds")
            raise Denied(reason)
        return left

    def _client(self) -> float:
        """Seconds until the client may be too slow."""
        current = self._dialogue.current
        if current is None:
            return self._shortest if self._dialogue.pending.oldest else self._idle()
        return self._asking(current)

    def _idle(self) -> float:
        left = self._since(self._dialogue.rested, self._times.keepalive_seconds)
        if left <= 0 and not self._answering.is_clear():
            return self._shortest  # the client has not got the last answer yet
        if left <= 0:
            self._session.close(self._reason("nothing was asked", "keepalive_seconds"))
        return left

    def _asking(self, current: Transaction) -> float:
        if not self._reads(CLIENT):
            return self._shortest
        left = self._since(current.began, self._times.request_seconds)
        if left <= 0:
            self._late(current, "a request took too long", "request_seconds")
        return min(left, self._body(current) if current.request else self._head(current))

    def _head(self, current: Transaction) -> float:
        left = self._since(current.began, self._times.head_seconds)
        if left <= 0:
            self._late(current, "the head of a request took too long", "head_seconds")
        return left

    def _body(self, current: Transaction) -> float:
        rate, window = self._times.request_bytes_per_second, self._times.window_seconds
        body = current.request_body
        if body is None or not rate:
            return self._shortest
        left = self._sending.left(body, current.since, window)
        if left > 0:
            return left
        if self._sending.is_slow(body, rate) and not current.is_waiting:
            self._late(current, "a request's body comes too slowly", "request_bytes_per_second")
        return window

    def _server(self) -> float:
        """Seconds until the server may be too slow."""
        oldest = self._dialogue.pending.oldest
        if oldest is None:
            self._dialogue.route.part()  # from a server that was to close first, and did not
            return self._shortest
        return self._awaited(oldest) if oldest.response is None else self._answered(oldest)

    def _awaited(self, oldest: Transaction) -> float:
        if not (oldest.asked or oldest.is_waiting):
            return self._shortest
        left = self._since(oldest.since, oldest.wait or self._times.response_seconds)
        if left <= 0:
            reason = self._waited("the server did not answer", oldest, "response_seconds")
            self._session.send(CLIENT, self._dialogue.reply(oldest, GATEWAY_TIMEOUT, reason))
            self._dialogue.record(oldest, FAILED, reason)
            self._session.close(reason, Outcome.FAILED)
        return left

    def _answered(self, oldest: Transaction) -> float:
        return min(self._silent(oldest), self._flowing(oldest))

    def _silent(self, oldest: Transaction) -> float:
        """
        Seconds until an answer may have been silent for too long. It counts from the look at which
        nothing more had come than at the one before, and only while the client waits for more.
        """
        limit, body = oldest.wait or self._times.silence_seconds, oldest.response_body
        if not limit or body is None:
            return self._shortest
        came = body, body.size
        if came != self._came or not (self._answering.is_clear() and self._reads(SERVER)):
            self._came, self._silent_since = came, self._session.now
        left = self._since(self._silent_since, limit)
        if left <= 0:
            reason = self._waited("the server fell silent", oldest, "silence_seconds")
            self._dialogue.break_off(oldest, reason)
        return left

    def _flowing(self, oldest: Transaction) -> float:
        """Seconds until an answer may have come too slowly."""
        rate, window = self._times.response_bytes_per_second, self._times.window_seconds
        body = oldest.response_body
        if body is None or not rate:
            return self._shortest
        left = self._answering.left(body, oldest.since, window)
        if left > 0:
            return left
        if self._answering.is_slow(body, rate) and self._reads(SERVER):
            reason = self._reason("the answer comes too slowly", "response_bytes_per_second")
            self._dialogue.break_off(oldest, reason)
        return window

    def _since(self, moment: float, limit: float) -> float:
        """Seconds that are left of a limit."""
        return moment + limit - self._session.now if limit else self._shortest

    def _reason(self, what: str, limit: str) -> str:
        return f"{what} (times.{limit} = {getattr(self._times, limit):g})"

    def _waited(self, what: str, oldest: Transaction, limit: str) -> str:
        if oldest.wait:
            return f"{what} (a test with action = 'wait', seconds = {oldest.wait:g})"
        return self._reason(what, limit)

    def _late(self, current: Transaction, what: str, limit: str) -> None:
        """
        The client took too long.

        If some of a body has come, the answer is not 408: browsers take that for the end of a
        connection that was used before, and send the body again on every one that they have.

        @raise Denied: with an answer, if it is the one that the client waits for.
        """
        reason = self._reason(what, limit)
        reply = b""
        if self._dialogue.pending.oldest in (None, current) and not current.answering:
            status = BAD_REQUEST if current.uploads else REQUEST_TIMEOUT
            reply = self._dialogue.reply(current, status, reason, REQUEST_TIMEOUT)
        self._dialogue.record(current, DENIED, reason, by=f"times.{limit}")
        raise Denied(reason, reply)

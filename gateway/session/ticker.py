"""
A coarse clock for many time limits.

A gateway with ten thousand sessions has some thirty thousand time limits, and
nearly all of them are cancelled before they come due. One timer of the reactor
for each would cost more than the sessions. Here each session is in one bucket
at a time, and one timer empties a bucket each tick. Sessions note the time of
their last activity by copying L{Ticker.now}, which costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

log = Logger()

TICK = 0.25
"""Seconds between two ticks, and the precision of every time limit of a session."""


class Timed(Protocol):
    """Whoever has time limits."""

    def check_time(self) -> None:
        """At least the time asked for is over. Ask again if there is a next one."""


Bucket = set[Timed]


class Ticker:
    """
    Calls C{check_time} of whoever asked for it, about when asked for.

    @param seconds: the time; one that nobody sets, where C{clock} shows that of a clock on
        the wall, as Twisted's reactor does.
    """

    def __init__(self, clock: IReactorTime, seconds: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._seconds = seconds or clock.seconds
        self._buckets: dict[int, Bucket] = {}
        self._call: IDelayedCall | None = None
        self._tick = 0
        self.now = self._ticked = self._seconds()

    def wake(self) -> float:
        """The time for somebody who begins: with nobody to serve, the ticker has slept."""
        if self._call is None:
            self.now = self._ticked = self._seconds()
        return self.now

    def after(self, seconds: float, timed: Timed) -> Bucket:
        """
        Call C{timed.check_time()} in C{seconds}, or up to two ticks later.

        @return: the bucket, from which it may be discarded to cancel.
        """
        if self._call is None:
            self.wake()
            self._call = self._clock.callLater(TICK, self._advance)
        tick = self._tick + 2 + int(seconds / TICK) if seconds > 0 else self._tick + 2
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = set()
        bucket.add(timed)
        return bucket

    def _advance(self) -> None:
        """One tick, or as many as have passed while the process could not run."""
        self._call = None
        self.now = now = self._seconds()
        ticks = max(1, int((now - self._ticked) / TICK))
        self._ticked += ticks * TICK  # not now: what is late each time would add up
        for tick in range(self._tick + 1, self._tick + ticks + 1):
            self._tick = tick
            self._empty(self._buckets.pop(tick, None))
        if self._buckets and self._call is None:
            self._call = self._clock.callLater(TICK, self._advance)

    def _empty(self, bucket: Bucket | None) -> None:
        for timed in tuple(bucket or ()):
            try:
                timed.check_time()
            except Exception:
                log.failure("a time limit could not be applied")

    def stop(self) -> None:
        """No more ticks."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._buckets.clear()

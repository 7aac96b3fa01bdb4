"""
Patience: how long a session may go on, in all, idle, connecting, or saying goodbye.

A session has one moment at a time at which it looks at the clock, see
L{gateway.session.ticker}.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

from gateway.observe.story import Limit
from gateway.policy.limits import ServiceLimits
from gateway.session.ticker import Bucket, Ticker

LINGER = 5.0
"""Seconds that a peer has to take our last words and to say goodbye (nginx: lingering_timeout)."""


NEVER = inf


class Mortal(Protocol):
    """A session, of streams or of datagrams. C{active}: when a byte moved last."""

    active: float

    def ran_out(self, limit: str, seconds: float) -> None:
        """C{limit} (the setting's name) of C{seconds} ran out."""

    def connect_ran_out(self) -> None:
        """The present attempt to reach the server took too long."""

    def lingered(self) -> None:
        """The peers had their time to say goodbye."""


class _Nobody:
    """In the place of a session that is over."""

    active = 0.0

    def ran_out(self, limit: str, seconds: float) -> None:
        """Nobody cares."""

    def connect_ran_out(self) -> None:
        """Nobody cares."""

    def lingered(self) -> None:
        """Nobody cares."""


_NOBODY = _Nobody()


class Patience:
    """The time limits of one session."""

    __slots__ = (
        *("_bucket", "_connecting", "_due", "_leaving"),
        *("_limits", "_owner", "_started", "_ticker"),
    )

    def __init__(self, ticker: Ticker, limits: ServiceLimits, owner: Mortal) -> None:
        self._ticker = ticker
        self._limits = limits
        self._owner = owner
        self._started = ticker.now
        self._connecting = 0.0
        self._leaving = 0.0
        self._bucket: Bucket | None = None
        self._due = 0.0

    def begin(self) -> None:
        """
        A session begins. Soon an attempt to reach the server will: the clock is looked at as if
        it did now, so that it need not be asked again then.
        """
        self.connecting()
        self.connected()

    def connecting(self) -> None:
        """An attempt to reach the server begins."""
        now = self._connecting = self._ticker.now
        if self._bucket is None or now + self._limits.connect_seconds < self._due:
            self.watch()

    def connected(self) -> None:
        """There is no attempt any more."""
        self._connecting = 0.0

    def leaving(self) -> None:
        """From now on only goodbyes are waited for."""
        now = self._leaving = self._ticker.now
        if self._bucket is None or now + LINGER < self._due:
            self.watch()

    def watch(self) -> None:
        """Look at the clock at the next moment that may matter."""
        if self._bucket is not None:
            self.stop()
        due = self._next()
        if due < NEVER:
            self._due = due
            self._bucket = self._ticker.after(due - self._ticker.now, self)

    def over(self) -> None:
        """The session is over. It is let go of, so that nothing has to find the circle."""
        self.stop()
        self._owner = _NOBODY

    def stop(self) -> None:
        """Do not look at the clock any more."""
        if self._bucket is not None:
            self._bucket.discard(self)
            self._bucket = None

    def _next(self) -> float:
        """When the first of the limits runs out."""
        if self._leaving:
            return self._leaving + LINGER
        limits = self._limits
        due = self._connecting + limits.connect_seconds if self._connecting else NEVER
        if limits.idle_seconds and self._owner.active + limits.idle_seconds < due:
            due = self._owner.active + limits.idle_seconds
        if limits.total_seconds and self._started + limits.total_seconds < due:
            due = self._started + limits.total_seconds
        return due

    @property
    def running(self) -> tuple[Limit, ...]:
        """The limits that may run out next, for the operator."""
        now, limits = self._ticker.now, self._limits
        if self._leaving:
            return (Limit("goodbye", LINGER, max(0.0, self._leaving + LINGER - now)),)
        since = {
            "connect_seconds": (limits.connect_seconds, self._connecting),
            "idle_seconds": (limits.idle_seconds, self._owner.active),
            "total_seconds": (limits.total_seconds, self._started),
        }
        return tuple(
            Limit(name, seconds, max(0.0, began + seconds - now))
            for name, (seconds, began) in since.items()
            if seconds and began
        )

    def check_time(self) -> None:
        """The ticker: a limit may have run out."""
        self._bucket = None
        now, owner, limits = self._ticker.now, self._owner, self._limits
        if self._leaving:
            if now >= self._leaving + LINGER:
                owner.lingered()
                return
        elif limits.total_seconds and now >= self._started + limits.total_seconds:
            owner.ran_out("total_seconds", limits.total_seconds)
            return
        elif limits.idle_seconds and now >= owner.active + limits.idle_seconds:
            owner.ran_out("idle_seconds", limits.idle_seconds)
            return
        elif self._connecting and now >= self._connecting + limits.connect_seconds:
            self._connecting = owner.active = now
            owner.connect_ran_out()  # which may be the end, or the next attempt
            if owner is not self._owner:
                return
        self.watch()

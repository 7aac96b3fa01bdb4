"""Timer: something that an inspector wants to happen later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from zope.interface import implementer

from gateway.interfaces import ITimer
from gateway.session import guard
from gateway.session.ticker import Bucket, Ticker


class Timing(guard.Guarded, Protocol):
    """A session that has timers, few if any."""

    timers: frozenset[Timer]


@implementer(ITimer)
class Timer:
    """
    One call, later. The session knows it, and cancels it at its end.

    As cheap as the session's own time limits: no timer of the reactor's.
    """

    __slots__ = ("_bucket", "_call", "_session")

    def __init__(
        self, session: Timing, ticker: Ticker, seconds: float, call: Callable[[], Any]
    ) -> None:
        self._session = session
        self._call: Callable[[], Any] | None = call
        self._bucket: Bucket | None = ticker.after(seconds, self)
        session.timers |= {self}

    def cancel(self) -> None:
        """See L{ITimer.cancel}."""
        if self._bucket is not None:
            self._bucket.discard(self)
            self._bucket = self._call = None  # whoever is called may know this timer: no circle
            self._session.timers -= {self}

    def check_time(self) -> None:
        """The ticker: it is time."""
        call = self._call
        if call is not None:
            self.cancel()
            guard.call(self._session, call)

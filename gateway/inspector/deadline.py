"""Deadline: how long an inspector waits for somebody (RFC 5321, section 4.5.3.2, says why)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from gateway.interfaces import ISession, ITimer

Waits = Callable[["str | None"], None]
"""Told for whom the time begins: the name of the client's setting, or C{None} for nobody."""


class Deadline:
    """
    What is to happen if somebody has not spoken in time. Another one takes the place of the former.

    It is set for every command and every answer, so that has to cost next to
    nothing: a timer that comes too early looks again later.
    """

    def __init__(self, session: ISession) -> None:
        self._session = session
        self._until = 0.0
        self._due = 0.0
        self._missed: Callable[[], None] | None = None
        self._timer: ITimer | None = None

    def set(self, seconds: float, missed: Callable[[], None]) -> None:
        """C{missed} is called in so many seconds, unless something else is set or cleared."""
        self._until = self._session.now + seconds
        self._missed = missed
        if self._timer is None or self._until < self._due:
            self._wait(seconds)

    @property
    def running(self) -> bool:
        """Whether somebody is waited for."""
        return self._missed is not None

    def clear(self) -> None:
        """Nobody is waited for."""
        self._missed = None

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = self._session.now + seconds
        self._timer = self._session.after(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._missed is None:
            return
        left = self._until - self._session.now
        if left > 0:
            self._wait(left)
        else:
            self._missed()


def pause(session: ISession, seconds: float) -> Deferred[None]:
    """Fires in so many seconds."""
    over: Deferred[None] = Deferred()
    session.after(seconds, lambda: over.callback(None))
    return over

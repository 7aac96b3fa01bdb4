"""Deaths: whether a worker dies again and again, so that it is better left alone for a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

DEATHS, WITHIN = 3, 10.0
"""So many deaths in so many seconds, and it is left alone for as many seconds."""


class Deaths:
    """
    @param clock: seconds, for differences only.
    @ivar resting: those that are left alone.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._when: dict[int, deque[float]] = {}
        self.resting: set[int] = set()

    def add(self, index: int) -> bool:
        """
        One more.

        @return: whether that is too often. It rests then.
        """
        now = self._clock()
        when = self._when.setdefault(index, deque(maxlen=DEATHS))
        when.append(now)
        if len(when) < DEATHS or now - when[0] > WITHIN:
            return False
        when.clear()
        self.resting.add(index)
        return True

    def forget(self) -> None:
        """All are new."""
        self._when.clear()
        self.resting.clear()

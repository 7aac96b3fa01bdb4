"""A Budget: a share of all time, for what is not traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.0075
"""
Of all time, for looking at sessions and choosing among them. To write the answer and to send it,
which is not counted, takes a third of that again: a hundredth in all (C{python -m bench.asking}).
"""

SAVED = 0.5
"""Seconds that are saved up at most, for who asks seldom."""


class Budget:
    """
    @param seconds: a monotonic clock.
    @param used: CPU time of this thread, as fine as there is; else what busy others take would be
        spent, too.
    @ivar spent: seconds in all.
    """

    def __init__(
        self, seconds: Callable[[], float], used: Callable[[], float] | None = None
    ) -> None:
        self._seconds = seconds
        self._used = used or seconds
        self._looked = seconds()
        self._left = SAVED
        self.spent = 0.0

    @property
    def rest(self) -> float:
        """For how many seconds nothing should be spent, as too much was; 0: some is left."""
        now = self._seconds()
        self._left = min(SAVED, self._left + (now - self._looked) * SHARE)
        self._looked = now
        return max(0.0, -self._left / SHARE)

    @property
    def overdrawn(self) -> bool:
        """Whether more was spent than there was."""
        return self.rest > 0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """What is done inside costs as long as it takes."""
        began = self._used()
        try:
            yield
        finally:
            cost = self._used() - began
            self._left -= cost
            self.spent += cost

"""FakeGate: whether one side is read, and what it says meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class FakeGate:
    """
    One side's.

    @ivar holds: how many decisions are awaited: it is read if there is none.
    """

    def __init__(self) -> None:
        self.holds = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def say(self, happen: Callable[[], None]) -> None:
        """It is to happen as soon as the side is read."""
        self._waiting.append(happen)
        self._read()

    def resume(self) -> None:
        """One decision less is awaited."""
        self.holds -= 1
        self._read()

    def _read(self) -> None:
        """What waits, happens, until it has to wait again."""
        while self._waiting and not self.holds:
            self._waiting.popleft()()

    def close(self) -> None:
        """Nothing is to happen any more."""
        self._waiting.clear()

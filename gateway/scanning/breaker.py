"""Breaker: a daemon that fails is left alone for a while, so that nobody waits for it in vain."""

from __future__ import annotations


class Breaker:
    """
    Whether a daemon may be asked.

    After some failures in a row it is left alone. Then one may try, and another one after the
    same time, until one of them tells that it answers.

    @ivar why: what went wrong last; empty if all is well.
    """

    def __init__(self, failures: int, rest_seconds: float) -> None:
        self.why = ""
        self._most = failures
        self._rest = rest_seconds
        self._failures = 0
        self._until = 0.0

    @property
    def resting(self) -> bool:
        """Whether it is left alone, but for one who tries."""
        return self._failures >= self._most

    def admits(self, now: float) -> bool:
        """Whether somebody may ask. Who may, tells how that went."""
        if self.resting:
            if now < self._until:
                return False
            self._until = now + self._rest
        return True

    def well(self) -> None:
        """It did what it should."""
        self._failures = 0
        self.why = ""

    def failed(self, now: float, why: str) -> None:
        """It did not."""
        self._failures += 1
        self._until = now + self._rest
        self.why = why

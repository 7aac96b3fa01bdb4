"""Attempts: how often somebody was wrong."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MINUTE = 60.0

MOST = 1000
"""Addresses that are remembered; of more, the first are forgotten."""


class Attempts:
    """
    Counts wrong tokens, by the addresses that they come from, in the minute since the first.

    @param clock: seconds.
    @ivar most: how many there may be.
    """

    def __init__(self, clock: Callable[[], float], most: int) -> None:
        self.most = most
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def seconds_left(self, address: str) -> float:
        """How long this address has to wait; 0: it has not to."""
        began, count = self._wrong.get(address, (0.0, 0))
        left = began + MINUTE - self._clock()
        return left if count >= self.most and left > 0 else 0.0

    def was_wrong(self, address: str) -> None:
        """One more."""
        now = self._clock()
        began, count = self._wrong.pop(address, (now, 0))
        if began + MINUTE <= now:
            began, count = now, 0
        self._wrong[address] = began, count + 1
        while len(self._wrong) > MOST:
            self._wrong.popitem(last=False)

"""Waiting for something to become true, without sleeping in the dark."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float, every: float = 0.02) -> bool:
    """
    Ask again and again until it is true, at most for so many seconds.

    @return: whether it became true.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True

"""Linger: what is not needed any more is given up a little later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SECONDS = 10.0
"""
A client that has sent a SYN to a former listener has so long to answer. The kernel repeats its own
answer after 1, 3 and 7 seconds.
"""


class Linger:
    """
    @param over: called when the time is over.
    """

    def __init__(self, reactor: Any, over: Callable[[], object]) -> None:
        self._reactor = reactor
        self._over = over
        self._call: Any = None

    @property
    def lasts(self) -> bool:
        """Whether it is not over yet."""
        return self._call is not None

    def begin(self) -> None:
        """The time begins now, also if it had begun before."""
        self.stop()
        self._call = self._reactor.callLater(SECONDS, self._end)

    def stop(self) -> None:
        """Nothing is to be given up any more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _end(self) -> None:
        self._call = None
        self._over()

"""
Heed: Deferreds that have fired when inspectors get them, and whose failures nobody else may see.

What an inspector adds to such a one may still fail. Nearly always it adds nothing: so they are
looked at together, one turn of the reactor later.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gateway.session import guard


class Heed:
    """Who looks at them."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._given: list[tuple[Deferred[Any], guard.Guarded]] = []

    def give(self, fired: Deferred[Any], session: guard.Guarded) -> None:
        """An inspector gets C{fired}; if what it adds to it fails, that ends the session."""
        if not self._given:
            self._clock.callLater(0, self._look)
        self._given.append((fired, session))

    def _look(self) -> None:
        given, self._given = self._given, []
        for fired, session in given:
            if fired.paused or isinstance(fired.result, Failure):
                fired.addErrback(guard.unheeded, session)

"""FakeTimer: time passes when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define
from zope.interface import implementer

from gateway.interfaces import ITimer


@implementer(ITimer)
@define(eq=False)
class FakeTimer:
    """Something that happens when the test says that enough time has passed."""

    due: float
    call: Callable[[], Any] | None

    def cancel(self) -> None:
        """See L{ITimer.cancel}."""
        self.call = None


class FakeTimers:
    """All that is to happen."""

    def __init__(self) -> None:
        self._waiting: list[FakeTimer] = []

    def add(self, due: float, call: Callable[[], Any]) -> FakeTimer:
        """One more."""
        self._waiting = [each for each in self._waiting if each.call is not None]
        self._waiting.append(FakeTimer(due, call))
        return self._waiting[-1]

    def next(self, until: float) -> FakeTimer | None:
        """The next one that is due; it is not waited for any more."""
        due = [each for each in self._waiting if each.call is not None and each.due <= until]
        if not due:
            return None
        timer = min(due, key=lambda each: each.due)
        self._waiting.remove(timer)
        return timer

    def cancel(self) -> None:
        """Nothing is to happen any more."""
        for timer in self._waiting:
            timer.cancel()

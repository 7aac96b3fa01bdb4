"""Reloads: one at a time, and everybody who asked for one is told what came of it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred


class Reloads:
    """
    @param run: reloads; fires with what is wrong, or an empty text. It never fails.
    """

    def __init__(self, run: Callable[[], Deferred[str]]) -> None:
        self._run = run
        self._running = False
        self._over = False
        self._waiting: list[Deferred[str]] = []

    def ask(self) -> Deferred[str]:
        """
        Reload.

        @return: fires, when a reload that began after this call is over, with what is wrong with
            the configuration, or an empty text.
        """
        asked: Deferred[str] = Deferred()
        self._waiting.append(asked)
        self._go_on()
        return asked

    def stop(self) -> None:
        """The gateway stops: who still waits is told so."""
        self._over = True
        self._go_on()

    def _go_on(self) -> None:
        """Begin, if somebody waits and none is running."""
        if self._running or not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        if self._over:
            _tell(waiting, "the gateway stops")
            return
        self._running = True
        self._run().addCallback(self._ended, waiting)

    def _ended(self, problem: str, waiting: list[Deferred[str]]) -> None:
        self._running = False
        _tell(waiting, problem)
        self._go_on()


def _tell(waiting: list[Deferred[str]], problem: str) -> None:
    for asked in waiting:
        asked.callback(problem)

"""The pulse: workers that do not answer any more are killed, and so replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from gateway.workers.hand import Hand

log = Logger()

BEAT = 1.0
"""Seconds between two looks whether a worker answers."""

METRICS_EVERY = 5
"""Beats: with so many of them, it tells its numbers, too."""


class Pulse:
    """
    Counts beats that a worker does not answer, and no seconds: if this process itself
    could not run for a while, that is nobody else's fault.

    @param hands: all workers.
    @param owner: the column of the one who is finding a row in the table, while others wait.
    @param seconds: how long one may be silent.
    """

    def __init__(
        self,
        clock: Any,
        hands: Callable[[], Iterable[Hand]],
        owner: Callable[[], int],
        seconds: Callable[[], float],
    ) -> None:
        self._hands = hands
        self._owner = owner
        self._seconds = seconds
        self._count = 0
        self._beats: Any = LoopingCall(self.beat)
        self._beats.clock = clock

    def start(self) -> None:
        """Look."""
        beats = self._beats.start(BEAT, now=False)
        beats.addErrback(lambda failure: log.failure("nobody looks after workers", failure))

    def stop(self) -> None:
        """Look no more."""
        if self._beats.running:
            self._beats.stop()

    def beat(self) -> None:
        """One look."""
        self._count += 1
        hands = tuple(self._hands())
        silent = [hand for hand in hands if hand.missed * BEAT > self._seconds()]
        # who hangs while he finds a row lets others hang
        owner = self._owner()
        for hand in [each for each in silent if each.column == owner] or silent:
            self._end(hand)
        for hand in hands:
            hand.beat(self._count % METRICS_EVERY == 0)

    def _end(self, hand: Hand) -> None:
        log.error(
            "worker {index} (process {process}) has not answered for {seconds} seconds, and is "
            "killed",
            index=hand.index,
            process=hand.number,
            seconds=self._seconds(),
        )
        hand.missed = 0
        hand.kill()

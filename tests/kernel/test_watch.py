"""The watch: when it looks, on a simulated clock."""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.changes import Change, Changes
from gateway.kernel.divert import KernelDivert, Part
from gateway.kernel.keeper.watch import REST, Watch

TAKES = 0.02
"""Seconds that a look takes."""


class Kernel:
    """Rules of iptables, which others change as well, and what is told of them."""

    is_asked = is_told = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: list[Change] = []
        self.whole = True
        self.looks = 0

    def change(self, ours: bool) -> None:
        """Somebody changes rules."""
        self.whole = self.whole and not ours
        self._told.append(Change("ip mangle", "somebody"))

    def read(self) -> list[Change]:
        told, self._told = self._told, []
        return told

    def concerned(self, _table: str | None) -> set[Part]:
        return {Part.FILTER}

    def is_shared(self, _part: Part) -> bool:
        return True

    def restore(self, part: Part) -> bool:
        if part is not Part.FILTER:
            return False
        self.looks += 1
        self._clock.advance(TAKES)
        restored = not self.whole
        if restored:
            self.whole = True
            self.change(ours=False)
        return restored


class WatchTests(SynchronousTestCase):
    """Beside others who change the same tables."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.kernel = Kernel(self.clock)
        self.watch = Watch(
            cast(KernelDivert, self.kernel),
            cast(Changes, self.kernel),
            lambda *_: None,
            self.clock.seconds,
            lambda _: None,
        )
        self.watch.look()
        self.clock.advance(1)

    def told(self) -> None:
        """As the loop does it."""
        self.watch.hear()
        if not self.watch.seconds:
            self.watch.look()

    def test_restored(self) -> None:
        """Rules that are removed again, right after they were put back, are put back at once."""
        self.kernel.change(ours=True)
        self.told()
        self.assertTrue(self.kernel.whole)
        self.told()  # what it has done itself
        self.kernel.change(ours=True)
        self.told()
        self.assertTrue(self.kernel.whole)
        self.assertEqual((self.watch.restored, self.kernel.looks), (2, 4))

    def test_rests(self) -> None:
        """Who changes what is his all the time does not have it look all the time."""
        self.kernel.change(ours=False)
        self.told()
        self.kernel.change(ours=False)
        self.told()
        self.assertAlmostEqual(self.watch.seconds, REST * TAKES)
        self.clock.advance(REST * TAKES)
        self.watch.look()
        self.assertEqual((self.watch.restored, self.kernel.looks), (0, 3))

"""A worker that dies again and again is left alone for a while."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.workers.deaths import Deaths


class DeathsTests(SynchronousTestCase):
    """By the clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.deaths = Deaths(self.clock.seconds)

    def died(self, *after: float) -> list[bool]:
        found = []
        for seconds in after:
            self.clock.advance(seconds)
            found.append(self.deaths.add(1))
        return found

    def test_thrice(self) -> None:
        """The third one in ten seconds is one too many."""
        self.assertEqual(self.died(0, 3, 3), [False, False, True])
        self.assertEqual(self.deaths.resting, {1})

    def test_seldom(self) -> None:
        """Those that are long ago do not count."""
        self.assertEqual(self.died(0, 6, 6, 6, 6), [False] * 5)

    def test_each(self) -> None:
        """Each worker for itself."""
        self.assertEqual([self.deaths.add(index) for index in (0, 1, 0, 1)], [False] * 4)

    def test_after_a_rest(self) -> None:
        """It begins anew."""
        self.assertEqual(self.died(0, 0, 0, 0, 0), [False, False, True, False, False])

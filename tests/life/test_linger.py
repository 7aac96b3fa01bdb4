"""What is given up a little later, and not at all if it is needed again."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.life.linger import SECONDS, Linger


class LingerTests(SynchronousTestCase):
    """On a simulated clock."""

    def setUp(self) -> None:
        self.clock, self.over = Clock(), 0
        self.linger = Linger(self.clock, self.count)

    def count(self) -> None:
        self.over += 1

    def test_over(self) -> None:
        """It is given up once, so long after the last beginning."""
        self.linger.begin()
        self.clock.advance(SECONDS - 1)
        self.linger.begin()
        self.clock.advance(SECONDS - 1)
        self.assertEqual((self.over, self.linger.lasts), (0, True))
        self.clock.advance(1)
        self.assertEqual((self.over, self.linger.lasts), (1, False))
        self.clock.advance(100)
        self.assertEqual(self.over, 1)

    def test_needed_again(self) -> None:
        """It is not given up while it is found out whether it is needed."""
        self.linger.begin()
        self.linger.stop()
        self.clock.advance(100)
        self.assertEqual((self.over, self.linger.lasts), (0, False))

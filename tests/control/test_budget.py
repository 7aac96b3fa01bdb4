"""What answers cost is bounded: a hundredth of all time, in the long run."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.control.budget import SAVED, SHARE, Budget
from tests.control.case import ControlCase


class BudgetTests(SynchronousTestCase):
    """Time is spent and comes back."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.budget = Budget(self.clock.seconds)

    def spend(self, seconds: float) -> None:
        with self.budget.spending():
            self.clock.advance(seconds)

    def test_saved(self) -> None:
        """Who asks seldom is never told to wait."""
        for _ in range(100):
            self.spend(SAVED)
            self.assertFalse(self.budget.overdrawn)
            self.clock.advance(SAVED / SHARE)

    def test_rest(self) -> None:
        """What was spent beyond has to be earned first."""
        self.spend(SAVED + 0.1)
        self.assertTrue(0.09 / SHARE < self.budget.rest <= 0.1 / SHARE)
        self.clock.advance(0.05 / SHARE)
        self.assertTrue(self.budget.overdrawn)
        self.clock.advance(0.05 / SHARE)
        self.assertFalse(self.budget.overdrawn)

    def test_share(self) -> None:
        """Whoever does all that he may spends no more than the share."""
        began = self.clock.seconds()
        for _ in range(1000):
            if not self.budget.overdrawn:
                self.spend(0.2)
            self.clock.advance(1)
        spent = self.budget.spent - SAVED
        self.assertLessEqual(spent, 1.01 * SHARE * (self.clock.seconds() - began) + 0.2)


class OverdrawnTests(ControlCase):
    """C{sessions}, asked too often."""

    def test_last_survey(self) -> None:
        """The answer is that of the last look, which says when that was; a kill looks anew."""
        self.comes(port=1)
        first = self.ask("sessions")
        self.questions._budget._left = -1000.0
        self.comes(port=2)
        self.world.pass_time(5)
        again = self.ask("sessions")
        self.assertEqual((again["as_of"], again["running"]), (first["as_of"], 1))
        self.assertEqual(self.ask("kill", client="192.0.2.1")["killed"], 2)
        self.world.pass_time(11)
        self.assertEqual(self.ask("sessions")["running"], 0)

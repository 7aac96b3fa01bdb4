"""When the keeper asks whether packets get to the gateway, and what it says of it."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.changes import Change
from gateway.kernel.errors import KernelError
from gateway.kernel.keeper.probing import EVERY, LEAST_REST, SETTLED, WHILE_LOST, Probing
from gateway.kernel.probe.probe import Lost, Probed
from gateway.policy.policy import Policy
from tests.kernel.policies import SAMPLE, policy

LOST = Lost("lan0", 4, "tcp", (80,), "somebody drops it")
OTHERS = Change("inet firewall", "nft")


class ProbingTests(SynchronousTestCase):
    """By a clock that stands still unless a test moves it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[Policy] = []
        self.said: list[str] = []
        self.answer = Probed(1, ())
        self.seconds = 0.0
        self.trouble: KernelError | None = None
        self.probing = Probing(self.ask, lambda _, text: self.said.append(text), self.clock.seconds)
        self.policy = policy(SAMPLE)

    def ask(self, asked: Policy) -> Probed:
        self.asked.append(asked)
        self.clock.advance(self.seconds)
        if self.trouble is not None:
            raise self.trouble
        return self.answer

    def after(self, seconds: float) -> int:
        """How often it was asked after C{seconds} in which somebody wants to know once a second."""
        before = len(self.asked)
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(1)
            self.probing.settle()
        return len(self.asked) - before

    def test_begin(self) -> None:
        """Soon after rules are installed, and then seldom."""
        self.assertEqual(self.after(10), 0)
        self.probing.begin(self.policy)
        self.probing.settle()
        self.assertEqual(self.asked, [])
        self.assertEqual(self.after(EVERY), 1)
        self.assertIs(self.asked[0], self.policy)
        self.assertEqual(self.after(3 * EVERY), 3)

    def test_unwanted(self) -> None:
        """Nobody wants to know, or no rules are in force: nothing is sent."""
        self.probing.begin(self.policy)
        self.clock.advance(EVERY)
        self.assertEqual(self.asked, [])
        self.probing.end()
        self.assertEqual(self.after(EVERY), 0)

    def test_changes(self) -> None:
        """After others' changes, when they have settled; our own tables are no news."""
        self.probing.begin(self.policy)
        self.after(10)
        self.probing.hear([Change("inet tproxygw_50080"), Change("inet tproxygw_probe_7")])
        self.assertEqual(self.after(10), 0)
        self.probing.hear([OTHERS])
        self.probing.settle()
        self.assertEqual(len(self.asked), 1)
        self.assertEqual(self.after(SETTLED), 1)
        self.probing.hear([Change()])
        self.assertEqual(self.after(SETTLED), 0)
        self.assertEqual(self.after(LEAST_REST), 1)

    def test_rest(self) -> None:
        """Who changes things all the time does not keep the keeper from its work."""
        self.probing.begin(self.policy)
        self.seconds = 2.0
        asked = 0
        for _ in range(100):
            self.probing.hear([OTHERS])
            asked += self.after(1)
        self.assertLess(asked, 6)

    def test_lost(self) -> None:
        """While something gets lost it is asked more often; the words are the operator's."""
        self.answer = Probed(1, (LOST,))
        self.probing.begin(self.policy)
        self.after(2)
        self.assertEqual(self.probing.lost, (str(LOST),))
        self.assertEqual(self.after(3 * WHILE_LOST), 3)
        self.answer = Probed(1, ())
        self.after(WHILE_LOST)
        self.assertEqual(self.probing.lost, ())

    def test_unasked(self) -> None:
        """What can't be asked is said once, whatever is the matter, and again when it is new."""
        self.answer = Probed(1, (), "no CAP_BPF")
        self.probing.begin(self.policy)
        self.after(3 * EVERY)
        self.assertEqual(len(self.said), 1)
        self.assertIn("no CAP_BPF", self.said[0])
        self.trouble = KernelError("no CAP_NET_ADMIN")
        self.after(3 * EVERY)
        self.assertEqual(len(self.said), 2)

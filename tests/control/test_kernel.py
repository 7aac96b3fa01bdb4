"""What the kernel has carried, as far as the carrier says so in time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.control.kernel import SECONDS, Kernel
from gateway.interfaces import Address
from gateway.observe.identity import Identity
from gateway.observe.snapshot import KERNEL, Snapshot
from gateway.policy.connection import Protocol
from gateway.release.passages import Counted

WHO = Identity(7, Address("10.1.2.3", 1), Address("198.51.100.7", 2), Protocol.TCP, "web")
CARRIED = Snapshot(WHO, KERNEL, 0.0, 0.0, 5, 6)
OURS = Snapshot(WHO._replace(id=8), "open", 0.0, 3.0, 1, 2)


class KernelTests(SynchronousTestCase):
    """A session that it has, and one that it has not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[Any] = []
        self.answer: Deferred[dict[int, Any]] = Deferred()
        self.kernel = Kernel(self.clock, self._count)

    def _count(self, wanted: Any) -> Deferred[dict[int, Any]]:
        self.asked.append(wanted)
        return self.answer

    def test_added(self) -> None:
        """What it has carried is added to what the gateway had sent before."""
        found = self.kernel.add({7: CARRIED, 8: OURS})
        self.assertEqual(self.asked, [{7}])
        self.answer.callback({7: Counted(100, 200, 1.5)})
        snapshots = self.successResultOf(found)
        self.assertEqual(snapshots[7][-3:], (1.5, 105, 206))
        self.assertIs(snapshots[8], OURS)

    def test_not_asked(self) -> None:
        """Where it has none, nobody is asked."""
        self.assertEqual(self.successResultOf(self.kernel.add({8: OURS})), {8: OURS})
        self.assertEqual(self.asked, [])

    def test_late(self) -> None:
        """A carrier that does not answer keeps nobody waiting."""
        found = self.kernel.add({7: CARRIED})
        self.clock.advance(SECONDS)
        self.assertEqual(self.successResultOf(found), {7: CARRIED})
        self.answer.callback({7: Counted(100, 200, 1.5)})

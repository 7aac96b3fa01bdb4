"""Who accepts where, when ports or the number of workers change."""

from __future__ import annotations

from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from gateway.admission.listeners import Place
from gateway.interfaces import Address
from gateway.policy.connection import Protocol
from gateway.workers.shares import Shares
from gateway.workers.spec import write_place


class SharesTests(SynchronousTestCase):
    """Two workers, where there were three; and a place that only the former policy wants."""

    here, former = (Place(Address("::", port), Protocol.TCP, None) for port in (1, 2))
    sockets: ClassVar = [write_place(here, [10, 11, 12]), write_place(former, [20, 21, 22])]

    def setUp(self) -> None:
        self.shares = Shares(self.sockets, {self.here}, 2)

    def test_own(self) -> None:
        """Each has one of those that are needed."""
        owned = [self.shares.own(index) for index in (0, 1)]
        self.assertEqual(owned, [{self.here: 10}, {self.here: 11}])

    def test_others(self) -> None:
        """All others are somebody's."""
        others = [list(self.shares.others(index)) for index in (0, 1)]
        self.assertEqual(
            others,
            [[(self.here, 12), (self.former, 20), (self.former, 22)], [(self.former, 21)]],
        )
        given = sorted(descriptor for each in others for _, descriptor in each)
        self.assertEqual(given, list(self.shares.needless()))

    def test_settled(self) -> None:
        """What is left when nobody comes there any more."""
        self.assertEqual(self.shares.settled(), [write_place(self.here, [10, 11])])

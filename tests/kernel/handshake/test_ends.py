"""The sockets that take the places of two ends."""

from __future__ import annotations

import os
from struct import pack

from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.handshake.ends import stand_between, take_away
from gateway.kernel.handshake.half_open import Agreed
from gateway.kernel.handshake.segment import read
from gateway.kernel.repair import clock
from gateway.lab.namespace import Namespace
from tests.kernel.handshake.said import CLIENT, CLIENT6, SERVER, SERVER6, answer, first, last
from tests.netns.scene import PREFIX, unable


class EndsTests(SynchronousTestCase):
    """L{stand_between}, in a namespace where everything is reached by itself."""

    skip = unable()

    def setUp(self) -> None:
        self.host = Namespace(f"{PREFIX}{os.getpid()}-ends")
        self.host.create()
        self.addCleanup(self.host.remove)
        self.host.ip("route add default dev lo", "route add 2001:db8::/32 dev lo")
        self.host.ip("route add fd00:1::/48 dev lo")

    def test_names(self) -> None:
        """Each has the name of the end that it stands for, and talks to the other."""
        for client, server in ((CLIENT, SERVER), (CLIENT6, SERVER6)):
            agreed = Agreed(b"", *(read(said(client, server)) for said in (first, answer, last)))
            with self.host.entered():
                ends = stand_between(agreed, 2, 4)
            try:
                self.assertEqual(ends.client.getsockname()[:2], server)
                self.assertEqual(ends.client.getpeername()[:2], client)
                self.assertEqual(ends.server.getsockname()[:2], client)
                self.assertEqual(ends.server.getpeername()[:2], server)
                with self.host.entered():
                    self.assertRaises(OSError, stand_between, agreed, 2, 4)
            finally:
                take_away(ends)

    def test_stamps(self) -> None:
        """Timestamps go on where they were, in milliseconds, and never go back."""
        for stamp in (0, 1, 77, 78, 0xFFFFFFFF):
            options = b"\x01\x01\x08\x0a" + pack("!II", stamp, 0)
            agreed = Agreed(
                b"", read(first(options=options)), read(answer(options=options)), read(last())
            )
            with self.host.entered():
                ends = stand_between(agreed, 2, 4)
            try:
                now = clock(ends.client)
                self.assertEqual(now & 1, 0)
                self.assertLess((now - stamp) & 0xFFFFFFFF, 60_000)
            finally:
                take_away(ends)

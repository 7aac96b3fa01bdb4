"""
Sessions go over to the kernel while data flows in both directions, and neither peer notices.

Every byte is compared. C{RELEASE_SESSIONS=10000} makes a long run of it. As few as there are by
default notice most of the cures that are taken out, but not that of resets of earlier flows.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.kernel.release.scene import FIREWALL, LASTING, Told, lose, narrow, scene

SESSIONS = int(os.environ.get("RELEASE_SESSIONS", "60"))
MOST = 2_000_000
"""Bytes each way."""

SEED = int(os.environ.get("RELEASE_SEED", "1"))


class StressTests(SynchronousTestCase):
    """Released sessions are those that the peers would have had with each other."""

    def check(self, told: Told, lasting: int = LASTING, sessions: int = SESSIONS) -> None:
        """No byte is wrong, no session breaks or hangs, and enough of them were released."""
        self.assertEqual(told.faults, [], told.relay)
        self.assertEqual(len(told.sessions), sessions + lasting)
        # of the others as many as are not too fast for it
        self.assertGreaterEqual(told.released, lasting / 2, told.relay["counts"])
        left = told.relay["running"], told.relay["released"]
        self.assertEqual(left, ([], 0), "sessions that are over, but not for the gateway")

    def test_quiet(self) -> None:
        """Both families, the client's port and other ones, large segments."""
        with scene() as made:
            self.check(made.stress(SESSIONS, 10, MOST, SEED))

    def test_loss(self) -> None:
        """Two packets of a hundred are lost everywhere, beside a strict stateful firewall."""
        with scene(FIREWALL) as made:
            lose(made.ways, 20)
            self.check(made.stress(2 * SESSIONS, 30, 1_000_000, SEED), sessions=2 * SESSIONS)

    def test_client_without_timestamps(self) -> None:
        """Windows' default: the server's leg is made like the client's."""
        with scene() as made:
            made.ways.client.sysctl("net.ipv4.tcp_timestamps", 0)
            self.check(made.stress(SESSIONS, 10, MOST, SEED))

    def test_server_without_timestamps(self) -> None:
        """Legs that can't be made alike stay in user space."""
        with scene() as made:
            made.ways.server.sysctl("net.ipv4.tcp_timestamps", 0)
            told = made.stress(SESSIONS, 10, 300_000, SEED, lasting=0)
            self.check(told, lasting=0)
            self.assertEqual(told.released, 0)
            self.assertGreater(told.relay["counts"]["stays: only one leg has timestamps"], 0)

    def test_ecn(self) -> None:
        """Explicit congestion notification on one leg only."""
        with scene() as made:
            for namespace in (made.ways.client, made.ways.server):
                namespace.sysctl("net.ipv4.tcp_ecn", 1)
            self.check(made.stress(SESSIONS, 10, MOST, SEED))

    def test_narrow_behind_the_gateway(self) -> None:
        """Packets that are too large for the server's side are answered as a router answers."""
        with scene() as made:
            for namespace, device in ((made.ways.gateway, "wan0"), (made.ways.server, "wan")):
                namespace.run(f"ip link set dev {device} mtu 1400")
            self.check(made.stress(SESSIONS, 10, MOST, SEED))

    def test_narrow_links(self) -> None:
        """Queues are full on both sides, and drop what is too much, beside a strict firewall."""
        with scene(FIREWALL) as made:
            narrow(made.ways, 60)
            self.check(made.stress(SESSIONS, 10, 1_000_000, SEED))

"""From one gateway to the next: nothing passes in between that should be inspected."""

from __future__ import annotations

import signal
from time import monotonic

from tests.netns.case import SceneCase
from tests.netns.probes import SERVICE, Outcome, Probes


class RestartCase(SceneCase):
    """A client that never stops asking."""

    fresh = True
    services = {"probe": SERVICE}

    def probes(self) -> Probes:
        """Probes that have begun, and are inspected."""
        probes = Probes(self.client, self.server).__enter__()
        self.addCleanup(probes.stop)
        self.wait(lambda: probes.inspected_since(0), "nothing is inspected")
        return probes

    def restart(self) -> None:
        """Stop the gateway, and start it."""
        self.assertTrue(self.scene.daemon.stop())
        self.scene.daemon.start()

    def assertNoGap(self, probes: Probes, began: float) -> None:
        """Of a thousand probes from C{began} on none has passed, and now they are inspected."""
        again = monotonic()
        self.wait(lambda: probes.inspected_since(again), "nothing is inspected again", 10)
        self.wait(lambda: probes.since(began) >= 1000, "too few probes", 30)
        probes.stop()
        self.assertEqual(probes.reached, [])
        self.assertGreater(probes.count(Outcome.INSPECTED), 0)


class RestartTests(RestartCase):
    """With nftables, in a table that is owned if the kernel can."""

    def test_no_gap(self) -> None:
        """From SIGTERM to inspected again, nothing passes."""
        probes, began = self.probes(), monotonic()
        self.restart()
        self.assertNoGap(probes, began)

    def test_other_settings(self) -> None:
        """Nor if what only a restart can change was changed: ports, marks, tables."""
        probes, began = self.probes(), monotonic()
        self.assertTrue(self.scene.daemon.stop())
        changed = 'port = 50180\ntable = 101\nmark = "0x10/0x10"\nconntrack_zone = 7\n'
        self.scene.configure(self.services, changed + self.gateway)
        self.scene.daemon.start()
        self.assertNoGap(probes, began)

    def test_crash(self) -> None:
        """Nor from kill -9 of everything to the next start."""
        probes, began = self.probes(), monotonic()
        self.router.signal_programs(signal.SIGKILL)
        self.scene.daemon.kill()
        self.scene.daemon.start()
        self.assertNoGap(probes, began)


class ToldRestartTests(RestartTests):
    """In a table that anybody can change."""

    gateway = "owned = false\n"


class IptablesRestartTests(RestartTests):
    """With iptables."""

    gateway = 'backend = "iptables"\n'

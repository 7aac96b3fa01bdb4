"""Somebody else changes the packet filter while the gateway runs."""

from __future__ import annotations

import contextlib
from time import monotonic

from gateway.lab.namespace import CommandFailed
from tests.kernel.test_owned import kernel_can
from tests.netns.case import SceneCase
from tests.netns.probes import SERVICE, Outcome, Probes


class FlushCase(SceneCase):
    """A client that never stops asking, while somebody flushes again and again."""

    fresh = True
    services = {"probe": SERVICE}

    def flushed(self, *commands: tuple[str, ...]) -> Probes:
        """What a thousand probes say, while C{commands} are run over and over."""
        with Probes(self.client, self.server) as probes:
            self.wait(lambda: probes.inspected_since(0), "nothing is inspected")
            begin = monotonic()
            while probes.since(begin) < 1000:
                for command in commands:
                    with contextlib.suppress(CommandFailed):
                        self.router.run(*command)
            again = monotonic()
            self.wait(lambda: probes.inspected_since(again), "nothing is inspected again")
        return probes


class OwnedTests(FlushCase):
    """On a kernel that knows tables that are owned (Linux 6.9)."""

    if not kernel_can():
        skip = "this kernel knows no tables that are owned"

    def test_nobody_flushes_us(self) -> None:
        """`nft flush ruleset`, or a deletion of the table: a thousand probes are inspected."""
        probes = self.flushed(
            ("nft", "flush", "ruleset"), ("nft", "delete", "table", "inet", "tproxygw_50080")
        )
        self.assertEqual(probes.reached, [])
        self.assertEqual(probes.count(Outcome.INSPECTED), len(probes.all))

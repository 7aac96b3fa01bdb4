"""Somebody else changes the packet filter while the gateway runs."""

from __future__ import annotations

import contextlib
from time import monotonic

from gateway.lab.namespace import CommandFailed
from gateway.lab.waiting import SLOWNESS
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


class ToldTests(FlushCase):
    """
    In a table that anybody can flush, and of routes, which nobody owns: the kernel tells, and what
    was taken away is put back.
    """

    gateway = "owned = false\n"
    flush = ("nft", "flush", "ruleset")
    longest = 2.0 * SLOWNESS
    """Seconds, on whatever machine this is. Where nothing else runs it is 10 to 30 milliseconds."""

    def assertSoon(self, *command: str) -> None:
        """What C{command} takes away is back soon, again and again."""
        with Probes(self.client, self.server) as probes:
            for _ in range(5):
                self.until_inspected(probes)
                probes.reached.clear()
                self.router.run(*command)
                self.until_inspected(probes)
                self.assertLess(probes.open_seconds, self.longest)
            self.wait(lambda: "somebody removed" in self.scene.daemon.said, "nobody noticed")

    def until_inspected(self, probes: Probes) -> None:
        """What is asked from now on is, or will be soon."""
        begin = monotonic()
        self.wait(lambda: probes.inspected_since(begin), "nothing is inspected")

    def test_flush(self) -> None:
        """The packet filter's rules."""
        self.assertSoon(*self.flush)

    def test_rule(self) -> None:
        """The policy routing rule."""
        self.assertSoon("ip", "rule", "del", "fwmark", "0x1/0x1", "lookup", "100")

    def test_route(self) -> None:
        """The route."""
        self.assertSoon("ip", "route", "flush", "table", "100")


class IptablesToldTests(ToldTests):
    """With iptables."""

    gateway = 'backend = "iptables"\n'
    flush = ("iptables", "-t", "mangle", "-F")

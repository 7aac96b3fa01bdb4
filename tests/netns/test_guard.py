"""Rules in force although no gateway is there: at boot, and after a start that failed."""

from __future__ import annotations

import re
from time import monotonic

from gateway.lab.network import SERVER
from tests.netns.commands import GUARD, command
from tests.netns.probes import SERVICE, Outcome, Probes
from tests.netns.test_restart import RestartCase

DENY = f"""
action = "deny"
[[rule]]
to = ["{SERVER}"]
ports = [81]
"""
FORWARD = f"""
action = "forward"
[[rule]]
to = ["{SERVER}"]
ports = [82]
"""


class GuardTests(RestartCase):
    """What a host has at boot: nothing but files."""

    services = {"probe": SERVICE, "deny": DENY, "forward": FORWARD}
    started = False

    def keep(self) -> None:
        """What the installation of the package does: there was no start yet."""
        folders = ("--config", str(self.scene.config), "--state", str(self.scene.daemon.state))
        done = command(self.router, "guard", "keep", *folders)
        self.assertEqual(done.returncode, 0, done.stderr)

    def load(self) -> str:
        """What the guard's unit does, with nothing but a shell and the system's tools."""
        shell = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", GUARD)
        return self.router.run(*shell, str(self.scene.daemon.state))

    def installed(self) -> list[str]:
        """All rules and routes, without what tells who owns a table, and without counters."""
        return [*self.filter(), *self.routes()]

    def filter(self) -> list[str]:
        """The packet filter's, without what packets have left in it."""
        listed = re.sub(
            r"elements = \{[^}]* expires [^}]*\}", "", self.router.run("nft", "list", "ruleset")
        )
        lines = (
            re.sub(r" packets \d+ bytes \d+| # .*", "", one).strip() for one in listed.splitlines()
        )
        return [one for one in lines if one not in ("", "flags", "flags owner")]

    def routes(self) -> list[str]:
        """Those that diverted packets go by."""
        commands = ("ip rule", "ip -6 rule", "ip route show table all")
        lines = "".join(self.router.run(*one.split()) for one in commands).splitlines()
        return [one for one in lines if "fwmark" in one or "table 100" in one]

    def test_boot(self) -> None:
        """From the guard to the gateway nothing passes that is to be inspected or is denied."""
        self.keep()
        self.load()
        with Probes(self.client, self.server) as probes:
            began = monotonic()
            self.wait(lambda: probes.since(began) > 500, "too few probes")
            self.assertEqual(probes.count(Outcome.INSPECTED), 0)
            with self.assertRaises(ConnectionRefusedError):
                self.dial((SERVER, 81))
            listener = self.listen(82)
            self.dial(listener.getsockname())
            self.accept(listener)
            self.scene.daemon.start()
            self.assertNoGap(probes, began)

    def test_again(self) -> None:
        """Loaded again, by hand or by another unit, nothing is there twice and nothing is said."""
        self.keep()
        self.load()
        before = self.installed()
        self.assertEqual(self.load(), "")
        self.assertEqual(self.installed(), before)

    def test_while_the_gateway_runs(self) -> None:
        """Loaded while a gateway runs it changes nothing: sessions go on."""
        self.scene.daemon.start()
        before = self.installed()
        probes = self.probes()
        self.load()
        self.assertEqual(self.installed(), before)
        self.assertNoGap(probes, monotonic())

    def test_same_as_the_gateway(self) -> None:
        """What the keeper has kept is what it has installed."""
        self.scene.daemon.start()
        self.assertTrue(self.scene.daemon.stop())
        before = self.installed()
        self.router.run("nft", "flush", "ruleset")
        self.router.run("ip", "rule", "del", "fwmark", "0x1/0x1", "lookup", "100")
        self.load()
        self.assertEqual(self.installed(), before)

    def test_nothing_is_kept(self) -> None:
        """Before there is a policy nothing is blocked, and the journal says so."""
        done = command(self.router, str(self.scene.daemon.state), program=GUARD)
        self.assertEqual(done.returncode, 0)
        self.assertIn("guard keep", done.stderr)

    def test_removed(self) -> None:
        """At the removal of the package, or at three in the morning: no rule is left."""
        before = self.installed()
        self.keep()
        self.load()
        self.assertNotEqual(self.installed(), before)
        done = command(self.router, "guard", "remove")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.installed(), before)

    def test_not_removed(self) -> None:
        """Not while a gateway runs."""
        self.scene.daemon.start()
        done = command(self.router, "guard", "remove")
        self.assertEqual(done.returncode, 1)
        self.assertIn("systemctl stop", done.stderr)
        self.assertIn("50080", "".join(self.installed()))


class IptablesGuardTests(GuardTests):
    """The same with iptables."""

    gateway = 'backend = "iptables"\n'

    def filter(self) -> list[str]:
        names = ("iptables-save", "ip6tables-save")
        lines = "".join(map(self.router.run, names)).splitlines()
        return [one for one in lines if one.startswith("-A")]

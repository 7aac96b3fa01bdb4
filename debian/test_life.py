"""
The packaged gateway's life under a real systemd: boot, start, reload, stop, crash.

Run by C{make deb-test}, as L{test_package}. A client asks all the time; what reaches the server
without the gateway is counted. The table in docs/operators-guide.md names these tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from time import monotonic

from test_package import PackageCase, package

from gateway.lab import network
from gateway.lab.waiting import wait_until
from tests.kernel.test_owned import kernel_can
from tests.netns.probes import INSPECTED_PORT, PORT, Outcome, Probes

PROBE = f"""
inspector = "relay"
server = "{network.MIRROR}:{INSPECTED_PORT}"
[[rule]]
to = ["{network.SERVER}"]
ports = [{PORT}]
"""
BROKEN = "inspektor = 1\n"

ROUTER = """
[Unit]
After=network-pre.target
[Service]
Type=oneshot
ExecStart=/sbin/sysctl -w net.ipv4.ip_forward=1
[Install]
WantedBy=multi-user.target
"""
"""What makes the container a router at boot: as soon as there may be a network."""


class LifeCase(PackageCase):
    """An installed gateway, and a client that never stops asking."""

    def setUp(self) -> None:
        """Install it, with a service that is asked all the time from now on."""
        super().setUp()
        self.container.install(package().name)
        self.services = self.container.path("/etc/tproxygw/services")
        (self.services / "probe.toml").write_text(PROBE)
        self.container.run("systemctl", "reload", "tproxygw")
        self.probes = Probes(self.between.client, self.between.server).__enter__()
        self.addCleanup(self.probes.stop)
        self.assertInspected()

    def watch_closely(self) -> None:
        """From now on systemd does not wait for long until it takes the gateway for hung."""
        folder = self.container.path("/etc/systemd/system/tproxygw.service.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "quick.conf").write_text("[Service]\nWatchdogSec=3\n")
        self.container.run("systemctl", "daemon-reload")
        self.container.run("systemctl", "restart", "tproxygw")

    def assertInspected(self, seconds: float = 40) -> None:
        """Probes that begin from now on are inspected, or will be."""
        began = monotonic()
        self.assertTrue(
            wait_until(lambda: self.probes.inspected_since(began), seconds, 0.1),
            self.container.try_to("journalctl", "--no-pager", "-n", "50").stdout,
        )

    def assertNoGap(self) -> None:
        """Since the beginning, and in a thousand probes at least, nothing has passed."""
        self.assertTrue(wait_until(lambda: len(self.probes.all) > 1000, 30))
        self.probes.stop()
        self.assertEqual(self.probes.reached, [])
        self.assertGreater(self.probes.count(Outcome.INSPECTED), 0)

    def assertBlocked(self, seconds: float = 2) -> None:
        """What is asked for so long is not inspected, either."""
        began = monotonic()
        time.sleep(seconds)
        self.assertFalse(self.probes.inspected_since(began))

    def main(self, unit: str = "tproxygw") -> str:
        """The process identifier, in the container, of a unit's main process."""
        show = ("systemctl", "show", "--property=MainPID", "--value", unit)
        return self.container.run(*show).strip()

    def until(self, condition: Callable[[], object]) -> None:
        self.assertTrue(
            wait_until(condition, 60, 0.2),
            self.container.try_to("journalctl", "--no-pager", "-n", "50").stdout,
        )

    def configure(self, text: str) -> None:
        """More for gateway.toml."""
        gateway = self.container.path("/etc/tproxygw/gateway.toml")
        gateway.write_text(f"{gateway.read_text()}\n{text}")


class LifeTests(LifeCase):
    """From one moment to the next."""

    def test_boot(self) -> None:
        """From the first moment of the network on, nothing passes; then it is inspected."""
        container = self.container
        container.path("/etc/systemd/system/router.service").write_text(ROUTER)
        container.run("systemctl", "enable", "router")
        container.shut_down()
        gateway = self.between.gateway
        gateway.sysctl("net.ipv4.ip_forward=0")
        gateway.run("nft", "flush", "ruleset")
        for family in ("-4", "-6"):
            gateway.run("sh", "-c", f"while ip {family} rule del fwmark 0x1/0x1; do :; done")
        self.assertEqual(gateway.run("nft", "list", "ruleset"), "")
        container.boot()
        self.assertInspected()
        self.assertNoGap()

    def test_restart(self) -> None:
        """C{systemctl restart}."""
        before = self.main()
        self.container.run("systemctl", "restart", "tproxygw")
        self.assertNotEqual(self.main(), before)
        self.assertInspected()
        self.assertNoGap()

    def test_failed_start(self) -> None:
        """A broken policy at the start: blocked, not tried again, and the journal says why."""
        (self.services / "more.toml").write_text(BROKEN)
        failed = self.container.try_to("systemctl", "restart", "tproxygw")
        self.assertNotEqual(failed.returncode, 0)
        self.assertBlocked()
        status = self.container.try_to("systemctl", "is-failed", "tproxygw")
        self.assertEqual(status.stdout.strip(), "failed")
        said = self.container.run("journalctl", "--no-pager", "-u", "tproxygw", "-p", "crit")
        self.assertIn("services/more.toml:1:1", said)
        (self.services / "more.toml").unlink()
        self.container.run("systemctl", "start", "tproxygw")
        self.assertInspected()
        self.assertNoGap()

    def test_reload(self) -> None:
        """C{systemctl reload} fails if the policy is broken, which changes nothing."""
        (self.services / "more.toml").write_text(BROKEN)
        failed = self.container.try_to("systemctl", "reload", "tproxygw")
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("active", self.container.run("systemctl", "is-active", "tproxygw"))
        said = self.container.run("journalctl", "--no-pager", "-u", "tproxygw", "-p", "err")
        self.assertIn("services/more.toml:1:1", said)
        (self.services / "more.toml").unlink()
        self.container.run("systemctl", "reload", "tproxygw")
        self.assertIn(
            "Inspecting 1 services", self.container.run("systemctl", "status", "tproxygw")
        )
        self.assertInspected()
        self.assertNoGap()

    def test_stop(self) -> None:
        """C{systemctl stop}: blocked, also if the host's firewall is reloaded then."""
        self.container.run("systemctl", "stop", "tproxygw")
        self.assertBlocked()
        self.container.run("nft", "flush", "ruleset")
        self.assertBlocked()
        self.container.run("systemctl", "start", "tproxygw")
        self.assertInspected()
        if kernel_can():
            self.assertNoGap()

    def test_stop_and_pass(self) -> None:
        """With C{when_stopped = "pass"} it passes, until a start, even one that fails."""
        gateway = self.container.path("/etc/tproxygw/gateway.toml")
        gateway.write_text(gateway.read_text().replace("[divert]", '[divert]\nwhen_stopped="pass"'))
        self.container.run("systemctl", "reload", "tproxygw")
        self.container.run("systemctl", "stop", "tproxygw")
        self.until(lambda: self.probes.reached)
        (self.services / "more.toml").write_text(BROKEN)
        self.assertNotEqual(self.container.try_to("systemctl", "start", "tproxygw").returncode, 0)
        self.probes.reached.clear()
        self.assertBlocked()
        self.assertNoGap()

    def test_crash(self) -> None:
        """C{kill -9} of the gateway: it is started again, and blocked meanwhile."""
        before = self.main()
        self.container.run("kill", "-9", before)
        self.until(lambda: self.main() not in ("0", before))
        self.assertInspected()
        self.assertNoGap()

    def test_hang(self) -> None:
        """A gateway that does nothing any more is found out, and started again."""
        self.watch_closely()
        before = self.main()
        self.container.run("kill", "-STOP", before)
        self.until(lambda: self.main() not in ("0", before))
        self.assertInspected()
        self.assertNoGap()

    def test_keeper_crash(self) -> None:
        """C{kill -9} of the keeper, and a flush right then: nothing passes, and all goes on."""
        for _ in range(3):
            before = self.main("tproxygw-keeper")
            self.container.run("kill", "-9", before)
            deleted = self.container.try_to("nft", "delete", "table", "inet", "tproxygw_50080")
            self.assertNotEqual(deleted.returncode, 0)
            self.until(lambda before=before: self.main("tproxygw-keeper") not in ("0", before))
            self.container.run("systemctl", "reload", "tproxygw")
        self.assertInspected()
        self.assertNoGap()

    if not kernel_can():
        test_keeper_crash.skip = "this kernel knows no tables that are owned"

    def test_keeper_restart(self) -> None:
        """C{systemctl restart tproxygw-keeper}, as in an upgrade, with somebody who flushes."""
        for _ in range(3):
            self.container.run("systemctl", "--no-block", "restart", "tproxygw-keeper")
            for _ in range(20):
                self.container.try_to("nft", "flush", "ruleset")
            self.until(self.keeper_is_active)
        self.assertInspected()
        if kernel_can():
            self.assertNoGap()

    def keeper_is_active(self) -> bool:
        state = self.container.try_to("systemctl", "is-active", "tproxygw-keeper")
        return state.stdout.strip() == "active"

    def test_journal(self) -> None:
        """C{-p warning} shows what it should: nothing, as long as all is well."""
        # whatever this machine may open
        self.configure("[limits]\nsessions = 1000\n")
        shown = self.container.run("journalctl", "--no-pager", "-n", "0", "--show-cursor")
        _, _, cursor = shown.strip().rpartition("-- cursor: ")
        show = (
            *("journalctl", "--no-pager", "-o", "cat", "-u", "tproxygw*", "-p", "warning"),
            f"--after-cursor={cursor}",
        )
        self.container.run("systemctl", "restart", "tproxygw")
        self.assertInspected()
        self.assertEqual(self.container.run(*show).strip(), "")
        self.container.run("kill", "-9", self.main("tproxygw-keeper"))
        self.until(lambda: "keeper was killed" in self.container.run(*show))

"""The keeper as a service of its own, which outlives the gateway."""

from __future__ import annotations

import os
import signal
import subprocess
from time import monotonic

from gateway.lab.daemon import NotReady
from gateway.lab.waiting import wait_until, work_done
from tests.kernel.test_owned import kernel_can
from tests.netns.case import QUIET
from tests.netns.commands import TPROXYGW, command
from tests.netns.probes import Outcome
from tests.netns.test_restart import RestartCase

METRICS = '[metrics]\nlisten = "127.0.0.1:9180"\n'


class KeeperServiceCase(RestartCase):
    """Keeper and gateway."""

    gateway = METRICS

    def begin(self) -> None:
        """The keeper first, then a gateway that can't change a rule, whatever becomes of it."""
        self.scene.configure(self.services, self.gateway)
        self.listening = self.scene.folder / "keeper.socket"
        self.start_keeper()
        self.scene.daemon.keeper = self.listening
        self.scene.daemon.before = ("setpriv", "--bounding-set=-net_admin")
        self.scene.daemon.start()

    def start_keeper(self) -> None:
        """What tproxygw-keeper.service does."""
        # a former one's is no sign that this one is ready
        self.listening.unlink(missing_ok=True)
        daemon = self.scene.daemon
        folders = ("--config", str(self.scene.config), "--state", str(daemon.state))
        log = daemon.log.open("ab")
        self.addCleanup(log.close)
        self.keeper = self.router.start(
            *(TPROXYGW, "keeper", *folders, "--listen", str(self.listening)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self.addCleanup(self.keeper.wait)
        self.addCleanup(self.keeper.terminate)
        self.assertTrue(wait_until(self.listening.exists, 20, progress=self.keepers_work))

    def keepers_work(self) -> int:
        """What changes as long as the keeper does something: a slow machine only makes it slow."""
        return work_done(self.keeper.pid)

    def workers(self) -> list[int]:
        """The processes below the keeper's supervisor."""
        found = f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children"
        with open(found) as children:  # noqa: PTH123
            return [int(one) for one in children.read().split()]


class KeeperServiceTests(KeeperServiceCase):
    """In a table that anybody can change: what the keeper itself does for us."""

    gateway = "owned = false\n" + METRICS

    def is_there(self) -> bool:
        """Whether the rules are."""
        return "inet tproxygw_50080" in self.router.run("nft", "list", "tables")

    def flush(self) -> None:
        self.router.run("nft", "flush", "ruleset")

    def assertSaid(self, text: str) -> None:
        """The gateway says C{text}, in a while."""
        said = self.scene.daemon
        there = wait_until(lambda: text in said.said, 10, progress=self.keepers_work)
        self.assertTrue(there, said.said)

    def assertProtected(self) -> None:
        """A flush opens nothing, or for a moment."""
        self.flush()
        there = wait_until(self.is_there, 5, progress=self.keepers_work)
        self.assertTrue(there, "the router stays open")

    def test_restart(self) -> None:
        """From SIGTERM to inspected again nothing passes."""
        probes, began = self.probes(), monotonic()
        self.restart()
        self.assertNoGap(probes, began)

    def test_stopped(self) -> None:
        """While the gateway is stopped a flush opens the router no longer than while it runs."""
        self.assertTrue(self.scene.daemon.stop())
        self.assertProtected()
        self.scene.daemon.start()

    def test_failed_start(self) -> None:
        """Nor after a start that failed: the rules of the last good policy are in force."""
        self.assertTrue(self.scene.daemon.stop())
        (self.scene.config / "services" / "more.toml").write_text("inspektor = 1\n")
        with self.assertRaises(NotReady):
            self.scene.daemon.start()
        self.assertProtected()

    def test_keeper_killed(self) -> None:
        """The keeper's worker is killed: the gateway connects again, and all is well."""
        (worker,) = self.workers()
        os.kill(worker, signal.SIGKILL)
        self.assertSaid("the keeper was killed")
        self.assertProtected()
        self.assertWell()

    def test_keeper_restarted(self) -> None:
        """The keeper is started again, as in an upgrade: it takes over what is in force."""
        self.keeper.terminate()
        self.keeper.wait()
        self.assertTrue(self.is_there())
        self.start_keeper()
        self.assertSaid("the keeper was killed")
        self.assertProtected()
        self.assertWell()

    def test_flushed_without_keeper(self) -> None:
        """If somebody flushes while there is no keeper, the gateway has the next one mend it."""
        self.keeper.terminate()
        self.keeper.wait()
        self.flush()
        self.start_keeper()
        there = wait_until(self.is_there, 10, progress=self.keepers_work)
        self.assertTrue(there, f"the router stays open:\n{self.scene.daemon.said}")
        self.assertSaid("passed uninspected")
        self.assertWell()

    def assertWell(self) -> None:
        """Connections are inspected, metrics and reload work, nothing false is said."""
        probes = self.probes()
        probes.stop()
        self.assertEqual(probes.count(Outcome.UNINSPECTED), 0)
        scraped = self.router.run("curl", "-sS", "http://127.0.0.1:9180/metrics")
        self.assertIn("tproxygw_divert_installed 1.0", scraped)
        self.assertNotIn("critical", self.scene.daemon.said)
        reloaded = command(self.router, "reload", "--control", str(self.scene.daemon.control))
        self.assertEqual((reloaded.returncode, reloaded.stderr), (0, ""))


class OwnedKeeperServiceTests(KeeperServiceTests):
    """In a table that the keeper owns: no moment is left for a flush."""

    gateway = METRICS
    if not kernel_can():
        skip = "this kernel knows no tables that are owned"

    def assertProtected(self) -> None:
        self.flush()
        self.assertTrue(self.is_there())


class RequestTests(KeeperServiceCase):
    """Who may ask the keeper for what."""

    def test_only_who_may(self) -> None:
        """Other users can't ask it anything."""
        asking = f"import socket; socket.socket(1, 5).connect({str(self.listening)!r})"
        somebody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        program = ("/usr/bin/python3", "-c", asking)
        done = subprocess.run((*somebody, *program), capture_output=True, text=True)
        self.assertIn("PermissionError", done.stderr)

    def test_second_gateway(self) -> None:
        """A gateway with another configuration gets nothing from it."""
        other = self.scene.folder / "other"
        (other / "services").mkdir(parents=True, exist_ok=True)
        (other / "gateway.toml").write_text("[divert]\nport = 50180\n")
        daemon = self.scene.daemon
        config, daemon.config = daemon.config, other
        self.addCleanup(setattr, daemon, "config", config)
        self.assertTrue(daemon.stop())
        with self.assertRaisesRegex(NotReady, "the configuration changed"):
            daemon.start(QUIET * 20)

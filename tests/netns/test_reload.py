"""What a reload says to whoever asked for it, and a start with a broken policy."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from gateway.lab.daemon import NotReady
from tests.netns.commands import command
from tests.netns.probes import SERVICE, Outcome, Probes
from tests.netns.test_restart import RestartCase

BROKEN = "inspektor = 1\n"


class ReloadCase(RestartCase):
    """C{tproxygw reload}, which waits for the answer."""

    gateway = '[metrics]\nlisten = "127.0.0.1:9180"\n'

    def reload(self) -> subprocess.CompletedProcess[str]:
        return command(self.router, "reload", "--control", str(self.scene.daemon.control))

    def break_policy(self) -> None:
        """One more service, which is wrong."""
        (self.scene.config / "services" / "more.toml").write_text(BROKEN)

    def mend_policy(self) -> None:
        (self.scene.config / "services" / "more.toml").write_text(SERVICE.replace("8000", "8002"))

    def current(self) -> str:
        """Whether the metrics say that the policy in force is that of the folder."""
        scraped = self.router.run("curl", "-sS", "http://127.0.0.1:9180/metrics")
        (line,) = (one for one in scraped.splitlines() if one.startswith("tproxygw_policy_current"))
        return line.split()[1]


class ReloadTests(ReloadCase):
    """With a gateway that runs."""

    def test_good(self) -> None:
        """When it returns, the new policy is in force."""
        self.mend_policy()
        done = self.reload()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "Reloaded.\n", ""))
        self.assertIn("2 services", self.scene.daemon.said)
        self.assertIn("8002", self.router.run("nft", "list", "ruleset"))

    def test_broken(self) -> None:
        """A broken policy is said to who asked, with file and line; the metrics tell, too."""
        self.break_policy()
        done = self.reload()
        self.assertEqual(done.returncode, 3)
        self.assertIn("services/more.toml:1:1", done.stderr)
        self.assertIn("former policy is still in force", done.stderr)
        self.assertEqual(self.current(), "0.0")
        self.mend_policy()
        self.assertEqual(self.reload().returncode, 0)
        self.assertEqual(self.current(), "1.0")

    def test_many_at_once(self) -> None:
        """Whoever asks gets the answer of a reload that began after the question."""
        self.break_policy()
        with ThreadPoolExecutor(4) as threads:
            done = list(threads.map(lambda _: self.reload().returncode, range(8)))
        self.assertEqual(done, [3] * 8)
        self.mend_policy()
        self.assertEqual(self.reload().returncode, 0)

    def test_not_running(self) -> None:
        """With no gateway to ask, it says so."""
        self.assertTrue(self.scene.daemon.stop())
        done = self.reload()
        self.assertEqual(done.returncode, 1)
        self.assertIn("is it running?", done.stderr)

    def test_after_a_crash(self) -> None:
        """What a killed gateway has left of its socket is in nobody's way."""
        self.scene.daemon.kill()
        self.scene.daemon.start()
        self.assertEqual(self.reload().returncode, 0)


class BrokenStartTests(ReloadCase):
    """A start with a broken policy, if nobody has said anything about that."""

    def test_does_not_start(self) -> None:
        """It says what is wrong, with a status of its own, and what was inspected is blocked."""
        self.assertTrue(self.scene.daemon.stop())
        self.break_policy()
        with self.assertRaisesRegex(NotReady, "services/more.toml:1:1"):
            self.scene.daemon.start()
        self.assertEqual(self.scene.daemon.process.returncode, os.EX_CONFIG)
        self.assertIn("tproxygw_50080", self.router.run("nft", "list", "ruleset"))


class FailedStartTests(ReloadCase):
    """A start that something else prevents."""

    def test_port_taken(self) -> None:
        """Another program has the port: it says so, and what was inspected is blocked."""
        self.assertTrue(self.scene.daemon.stop())
        other = self.listen(50080, "0.0.0.0", self.router)
        with self.assertRaisesRegex(NotReady, "can't listen at tcp 0.0.0.0:50080"):
            self.scene.daemon.start()
        with Probes(self.client, self.server) as probes:
            began = monotonic()
            self.wait(lambda: probes.since(began) > 500, "too few probes")
        self.assertEqual(probes.reached, [])
        self.assertEqual(probes.count(Outcome.INSPECTED), 0)
        other.close()
        self.scene.daemon.start()

    def test_metrics_port_taken(self) -> None:
        """Or that of the metrics: it says which key of the configuration that is."""
        self.assertTrue(self.scene.daemon.stop())
        other = self.listen(9180, "127.0.0.1", self.router)
        with self.assertRaisesRegex(NotReady, "metrics.listen: can't listen at 127.0.0.1:9180"):
            self.scene.daemon.start()
        self.assertNotIn("Traceback", self.scene.daemon.said)
        other.close()
        self.scene.daemon.start()


class LastGoodTests(ReloadCase):
    """C{when_broken = "last"}."""

    gateway = 'when_broken = "last"\n' + ReloadCase.gateway

    def test_last_good_policy_runs(self) -> None:
        """The last good policy runs, loudly, until there is a good one again."""
        self.assertTrue(self.scene.daemon.stop())
        self.break_policy()
        (self.scene.config / "gateway.toml").write_text("[divert\n")
        self.scene.daemon.start()
        self.assertIn("#critical] the configuration is broken", self.scene.daemon.said)
        self.assertIn("gateway.toml:1", self.scene.daemon.said)
        self.assertEqual(self.current(), "0.0")
        probes = self.probes()
        probes.stop()
        self.assertEqual(probes.count(Outcome.UNINSPECTED), 0)
        self.assertEqual(self.reload().returncode, 3)
        self.scene.configure(self.services, self.gateway)
        self.mend_policy()
        self.assertEqual(self.reload().returncode, 0)
        self.assertEqual(self.current(), "1.0")

    def test_again(self) -> None:
        """It is kept as the last good policy for the next start as well."""
        self.break_policy()
        for _ in range(2):
            self.assertTrue(self.scene.daemon.stop())
            self.scene.daemon.start()
            self.assertIn("#critical] the configuration is broken", self.scene.daemon.said)

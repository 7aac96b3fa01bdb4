"""
The packaged gateway with several workers, under a real systemd.

Run by C{make deb-test}, as L{test_package}.
"""

from __future__ import annotations

from test_life import BROKEN
from test_units import RELAY, RELEASED, UnitCase


class WorkersTests(UnitCase):
    """C{count = 2} in C{[workers]}."""

    port = RELEASED

    def setUp(self) -> None:
        super().setUp()
        (self.services / "running.toml").write_text(RELAY)
        self.configure("[workers]\ncount = 2\n")
        self.container.run("systemctl", "restart", "tproxygw")
        self.assertInspected()

    def workers(self) -> set[str]:
        """The processes of those that live."""
        return set(self.container.try_to("pgrep", "^tproxygw-w").stdout.split())

    def shown(self, name: str) -> str:
        """What systemd knows of the gateway."""
        show = ("systemctl", "show", f"--property={name}", "--value", "tproxygw")
        return self.container.run(*show).strip()

    def said(self) -> str:
        return self.container.run("journalctl", "--no-pager", "-o", "cat", "-u", "tproxygw")

    def assertSame(self, main: str) -> None:
        """systemd has noticed nothing but that it is well, which it goes on to hear."""
        fed = self.shown("WatchdogTimestampMonotonic")
        self.until(lambda: int(self.shown("WatchdogTimestampMonotonic")) > int(fed))
        found = self.main(), self.shown("NRestarts"), self.shown("ActiveState")
        self.assertEqual(found, (main, "0", "active"))

    def test_upgrade(self) -> None:
        """C{tproxygw upgrade}, twice: the same process to systemd, and a session goes on."""
        running, main = self.pair(), self.main()
        for count in (1, 2):
            former = self.workers()
            self.container.run("tproxygw", "upgrade")
            self.talk(*running)
            self.assertEqual(self.said().count("goes on with"), count)
            self.assertSame(main)
            self.assertFalse(self.youngest() & former)
        self.assertRefused()
        self.container.run("systemctl", "reload", "tproxygw")
        self.assertIn("Inspecting 2 services", self.shown("StatusText"))
        self.talk(*running)
        self.talk(*self.pair())
        self.container.run("systemctl", "restart", "tproxygw")
        self.assertNotEqual(self.main(), main)
        self.assertInspected()
        self.assertNoGap()

    def youngest(self) -> set[str]:
        """Of each number the process that came last."""
        found = {}
        for line in self.container.run("pgrep", "-l", "^tproxygw-w").splitlines():
            process, name = line.split()
            found[name] = max(int(process), found.get(name, 0))
        return {str(process) for process in found.values()}

    def test_reload(self) -> None:
        """C{systemctl reload} is of all workers, and fails if the policy is broken."""
        running, main, former = self.pair(), self.main(), self.workers()
        self.assertEqual(len(former), 2)
        self.assertRefused()
        self.assertEqual(self.workers(), former)
        self.container.run("systemctl", "reload", "tproxygw")
        self.assertFalse(self.youngest() & former)
        self.assertIn("Inspecting 2 services", self.shown("StatusText"))
        self.talk(*running)
        self.talk(*self.pair())
        self.assertSame(main)
        self.assertNoGap()

    def assertRefused(self) -> None:
        """A broken policy changes nothing, and who reloads hears of it."""
        (self.services / "more.toml").write_text(BROKEN)
        failed = self.container.try_to("systemctl", "reload", "tproxygw")
        self.assertNotEqual(failed.returncode, 0)
        (self.services / "more.toml").unlink()

    def test_killed(self) -> None:
        """A worker that is killed has a successor; all of it is started again if its parent is."""
        main, former = self.main(), self.workers()
        for process in former:
            self.container.run("kill", "-9", process)
            self.until(lambda gone=process: len(self.workers() - {gone}) == 2)
        self.talk(*self.pair())
        self.assertSame(main)
        former = self.workers()
        self.container.run("kill", "-9", main)
        self.until(lambda: self.main() not in ("0", main))
        self.assertInspected()
        self.until(lambda: len(self.workers() - former) == 2)
        self.assertFalse(self.workers() & former)
        self.assertNoGap()

    def test_hang(self) -> None:
        """A supervisor that does nothing any more is found out, and all is started again."""
        self.watch_closely()
        before, former = self.main(), self.workers()
        self.container.run("kill", "-STOP", before)
        self.until(lambda: self.main() not in ("0", before))
        self.assertInspected()
        self.assertFalse(self.workers() & former)
        self.assertNoGap()

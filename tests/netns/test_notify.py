"""What systemd hears of the gateway, and what its journal gets."""

from __future__ import annotations

import re
import signal
import socket
from contextlib import closing
from time import monotonic

from tests.netns.case import SceneCase

PRIORITY = re.compile(r"<([0-7])>")


class NotifyTests(SceneCase):
    """C{Type=notify} and C{WatchdogSec}: sd_notify(3)."""

    fresh = True
    started = False
    gateway = "[limits]\nstop_seconds = 1.5\n"

    def begin(self) -> None:
        super().begin()
        path = self.scene.folder / "notify"
        path.unlink(missing_ok=True)
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.told.close)
        self.told.bind(str(path))
        self.told.settimeout(20)
        self.scene.daemon.environment["NOTIFY_SOCKET"] = str(path)

    def next(self, word: str) -> dict[str, str]:
        """The next message that says C{word}, past others."""
        end = monotonic() + 20
        while monotonic() < end:
            message = self.told.recv(4096).decode()
            said = dict(line.split("=", 1) for line in message.splitlines())
            if word in said:
                return said
        raise AssertionError(f"{word} was not said:\n{self.scene.daemon.said}")

    def test_ready_means_ready(self) -> None:
        """READY is said when the rules are in force and the listeners accept, and not before."""
        self.scene.daemon.launch()
        said = self.next("READY")
        self.assertIn("tproxygw_50080", self.router.run("nft", "list", "tables"))
        self.assertIn(":50080", self.router.run("ss", "-Htln"))
        self.assertEqual(said["STATUS"], "Inspecting 1 services, 1 rules")

    def test_not_ready(self) -> None:
        """Not at all, if it can't start."""
        (self.scene.config / "services" / "more.toml").write_text("inspektor = 1\n")
        self.scene.daemon.launch()
        self.wait(lambda: self.scene.daemon.ended, "does not end", 20)
        self.told.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.told.recv(4096)

    def test_reload(self) -> None:
        """A reload has a beginning, with the time that systemd wants, and an end."""
        self.scene.daemon.start()
        self.next("READY")
        self.scene.daemon.signal(signal.SIGHUP)
        begun = self.next("RELOADING")
        self.assertLess(abs(int(begun["MONOTONIC_USEC"]) / 1e6 - monotonic()), 20)
        self.assertIn("Inspecting", self.next("READY")["STATUS"])

    def test_watchdog(self) -> None:
        """It is fed as long as the kernel has the rules, and the process moves."""
        self.scene.daemon.start()
        self.assertEqual(self.next("WATCHDOG"), {"WATCHDOG": "1"})
        self.scene.daemon.signal(signal.SIGSTOP)
        self.told.settimeout(2)
        try:
            with self.assertRaises(TimeoutError):
                for _ in range(3):
                    self.told.recv(4096)
        finally:
            self.scene.daemon.signal(signal.SIGCONT)
        self.told.settimeout(20)
        self.next("WATCHDOG")

    def test_lost(self) -> None:
        """What the host's firewall drops is said, and that it does not any more."""
        self.scene.daemon.start()
        self.next("READY")
        rules = "table inet guard {\nchain odd {\ntype filter hook input priority 5;\n"
        self.router.run("nft", "-f", "-", input=f"{rules}tcp dport 443 drop\n}}\n}}\n")
        said = self.next("STATUS")["STATUS"]
        self.assertIn("tcp port 443, from lan0: the rule", said)
        self.assertIn("chain odd in the table inet guard drops it (tcp dport 443 drop)", said)
        self.assertIn("clients time out", self.scene.daemon.said)
        self.router.run("nft", "delete", "table", "inet", "guard")
        self.assertEqual(self.next("STATUS")["STATUS"], "Inspecting")
        self.assertIn("is lost any more", self.scene.daemon.said)

    def test_stop(self) -> None:
        """It says that it stops before sessions have their time."""
        self.scene.daemon.start()
        self.scene.daemon.signal(signal.SIGTERM)
        self.next("STOPPING")


class JournalTests(SceneCase):
    """C{StandardOutput=journal}."""

    fresh = True
    started = False

    def begin(self) -> None:
        super().begin()
        with closing(self.scene.daemon.log.open("wb")) as log:
            found = self.scene.daemon.log.stat()
            self.scene.daemon.environment["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
            log.write(b"")

    def lines(self, priority: int) -> list[str]:
        """The lines of this priority; every line has one, and none a time of its own."""
        found = []
        for line in self.scene.daemon.said.splitlines():
            match = PRIORITY.match(line)
            self.assertIsNotNone(match, line)
            self.assertNotRegex(line, r"\d\d:\d\d:\d\d")
            if match and int(match[1]) == priority:
                found.append(line)
        return found

    def test_priorities(self) -> None:
        """C{journalctl -p warning} shows what it should."""
        self.scene.configure(self.services, "owned = false\n")
        self.scene.daemon.start()
        self.assertEqual(len([one for one in self.lines(6) if "started with" in one]), 1)
        self.router.run("nft", "flush", "ruleset")
        self.wait(lambda: len(self.lines(3)) >= 2, "the keeper and the gateway say nothing")
        (self.scene.config / "services" / "more.toml").write_text("inspektor = 1\n")
        self.scene.reload("not reloaded")
        self.assertTrue([one for one in self.lines(3) if "services/more.toml:1:1" in one])

    def test_not_started(self) -> None:
        """So does what is said before there is a log."""
        (self.scene.config / "services" / "more.toml").write_text("inspektor = 1\n")
        self.scene.daemon.launch()
        self.wait(lambda: self.scene.daemon.ended, "does not end", 20)
        self.assertTrue([one for one in self.lines(2) if "services/more.toml:1:1" in one])

"""Upgrades, reloads and a crash while sessions run and others come: nobody else is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from gateway.control.client import Client
from gateway.lab.daemon import TWISTD
from tests.netns.case import SceneCase, hear
from tests.netns.tls_case import GOOD, TRUST, TlsCase
from tests.netns.workers_case import CLIENTS, WorkersCase

RUNNING = 100
"""Sessions that exchange bytes all the time."""

MORE = 25
"""Connections that have to come between two events."""

NOBODY = 65534


class Talk:
    """Sessions that say something and hear it back, again and again."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.lost: list[socket.socket] = []
        self.rounds = 0
        self._sockets = sockets
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            for ours in [one for one in self._sockets if one not in self.lost]:
                try:
                    ours.sendall(b"12345678")
                    if hear(ours, 8) != b"12345678":
                        self.lost.append(ours)
                except OSError:
                    self.lost.append(ours)
            self.rounds += 1

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)


class Coming:
    """Connections that come one after the other."""

    def __init__(self, case: WorkersCase) -> None:
        self.answered: list[tuple[str, int]] = []
        self.failed = 0
        self._case = case
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            with self._case.open(CLIENTS[number % len(CLIENTS)]) as ours:
                name = ours.getsockname()[:2]
                try:
                    answered = self._case.echoed(ours)
                except OSError:
                    answered = False
            if answered:
                self.answered.append(name)
            else:
                self.failed += 1

    def stop(self) -> None:
        self._over.set()
        self._thread.join(60)


class UpgradeTests(WorkersCase):
    """With 100 sessions that are never silent, and connections without a pause."""

    fresh = True

    def ask(self, what: str) -> dict[str, Any]:
        with Client(self.scene.daemon.control) as control:
            return control.ask(what)

    def test_nobody_is_lost(self) -> None:
        """Two upgrades, a reload and a killed worker: all is there that this one did not have."""
        sockets = [self.open(CLIENTS[number % len(CLIENTS)]) for number in range(RUNNING)]
        self.assertTrue(all(map(self.echoed, sockets)))
        talk, coming = Talk(sockets), Coming(self)
        self.addCleanup(talk.stop)
        self.addCleanup(coming.stop)
        former = set(self.workers().values())
        for what in ("upgrade", "reload", "upgrade"):
            successors = self.scene.daemon.said.count("goes on with")
            self.assertEqual(self.ask(what)["problem"], "")
            if what == "upgrade":
                self.wait(
                    lambda n=successors: self.scene.daemon.said.count("goes on with") > n,
                    "there is no successor",
                    30,
                )
            self.more(talk, coming)
            self.assertEqual((talk.lost, coming.failed), ([], 0))
        self.assertFalse(former & set(self.workers().values()))
        coming.stop()
        self.recorded(coming.answered)  # what a killed worker has not written yet is lost
        self.kill(0)
        self.wait(lambda: "worker 0 is there again" in self.scene.daemon.said, "it is not", 30)
        later = Coming(self)
        self.addCleanup(later.stop)
        self.more(talk, later)
        talk.stop()
        later.stop()
        self.assertEqual((talk.lost, later.failed), ([], 0))  # it had none of those
        for ours in sockets:
            ours.close()
        self.recorded(self.names)
        self.assertTrue(self.scene.daemon.stop())
        self.assertNotIn("Traceback", self.scene.daemon.said)

    def recorded(self, names: list[tuple[str, int]]) -> None:
        """All of these have one record, as soon as they are over."""
        wanted = set(names)
        self.wait(lambda: self.found(names).keys() == wanted, "records are missing", 30)
        self.assertEqual(set(self.found(names).values()), {1})

    def open(self, host: str) -> socket.socket:
        ours = super().open(host)
        self.names.append(ours.getsockname()[:2])
        return ours

    def setUp(self) -> None:
        self.names: list[tuple[str, int]] = []
        super().setUp()

    def more(self, talk: Talk, coming: Coming) -> None:
        """Wait until the sessions have said something again, and others have come."""
        rounds, came = talk.rounds, len(coming.answered)
        self.wait(lambda: talk.rounds > rounds + 1, "the sessions do not go on", 30)
        self.wait(lambda: len(coming.answered) >= came + MORE, "nobody comes", 30)

    def found(self, names: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """How many records each of these has."""
        wanted, found = set(names), {}
        for one in self.scene.records():
            name = one.get("src_ip"), one.get("src_port")
            if one["event_type"] == "flow" and name in wanted:
                found[name] = found.get(name, 0) + 1
        return found


class OneProcessTests(SceneCase):
    """Without workers."""

    def test_refused(self) -> None:
        """It says that it can't."""
        with Client(self.scene.daemon.control) as control:
            self.assertIn("must be restarted", control.ask("upgrade")["problem"])
        ours, theirs, _ = self.pair()
        ours.sendall(b"1")
        self.assertEqual(hear(theirs, 1), b"1")


class BackgroundTests(WorkersCase):
    """A gateway in the background, by root, who becomes another user."""

    fresh = True
    started = False

    def setUp(self) -> None:
        super(WorkersCase, self).setUp()
        self.pidfile, self.logfile = (self.scene.folder / each for each in ("twistd.pid", "log"))
        twistd = (TWISTD, "--pidfile", str(self.pidfile), "--logfile", str(self.logfile))
        self.router.run(*twistd, "tproxygw", *self.scene.daemon.folders, seconds=60)
        self.addCleanup(self.router.end_programs)
        self.wait(lambda: self.said("started with"), "it does not start", 30)

    def said(self, what: str) -> bool:
        return self.logfile.exists() and what in self.logfile.read_text()

    def test_signal(self) -> None:
        """SIGUSR2 upgrades it; it stays the same process, whose end is as any other."""
        process = int(self.pidfile.read_text())
        ours = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(ours))
        os.kill(process, signal.SIGUSR2)
        self.wait(lambda: self.said("goes on with"), "it does not go on", 30)
        self.assertEqual(int(self.pidfile.read_text()), process)
        self.assertTrue(self.echoed(ours))
        self.assertTrue(self.echoed(self.open(CLIENTS[1])))
        ours.close()
        os.kill(process, signal.SIGTERM)
        self.wait(lambda: not self.router.processes(), "it does not end", 30)
        self.assertFalse(self.pidfile.exists())
        self.assertNotIn("Traceback", self.logfile.read_text())


class TlsUpgradeTests(WorkersCase, TlsCase):
    """A gateway that has started a signer of its own."""

    fresh = True
    embedded = False
    services = TlsCase.services
    gateway = f"[workers]\ncount = 2\n{TRUST}"

    def test_signer(self) -> None:
        """All workers have it: the first ones, those of an upgrade, and successors of the dead."""
        self.assertEqual(self.curl(f"https://{GOOD}/"), "<p>hello</p>")
        self.scene.daemon.signal(signal.SIGUSR2)
        self.wait(lambda: "goes on with" in self.scene.daemon.said, "it does not go on", 30)
        self.assertEqual(self.curl(f"https://{GOOD}/"), "<p>hello</p>")
        before = self.workers()
        for index in before:
            self.kill(index)
        for index in before:
            there = f"worker {index} is there again"
            self.wait(lambda t=there: t in self.scene.daemon.said, "it is not there again", 30)
        self.assertEqual(self.curl(f"https://{GOOD}/"), "<p>hello</p>")
        self.assertTrue(self.scene.daemon.stop())
        self.assertEqual(self.router.processes(), [])


class AnotherUserCase(WorkersCase):
    """A gateway that was started by root, and becomes a user who may do less."""

    fresh = True
    started = False

    def begin(self) -> None:
        super().begin()
        daemon = self.scene.daemon
        daemon.options = (f"--uid={NOBODY}", f"--gid={NOBODY}")
        daemon.before = (str(self.python()),)
        daemon.start()

    def python(self) -> Path:
        """The interpreter that root starts it with."""
        return Path(sys.executable)

    def refused(self, what: str) -> str:
        """Ask for what can't be: nothing changes, and it is told why."""
        before = self.workers()
        ours = self.open(CLIENTS[0])
        self.assertTrue(self.echoed(ours))
        with Client(self.scene.daemon.control) as control:
            problem = str(control.ask(what)["problem"])
        self.assertNotEqual(problem, "")
        self.assertEqual(self.workers(), before)
        self.assertTrue(self.echoed(ours))
        self.assertTrue(self.echoed(self.open(CLIENTS[1])))
        self.assertTrue(self.answers())
        self.assertNotIn("goes on with", self.scene.daemon.said)
        return problem


class AnotherUserTests(AnotherUserCase):
    """Who can run the Python that it was started with, if anybody can."""

    def test_more_workers(self) -> None:
        """More workers would need sockets of root's: a reload that wants them is refused."""
        self.scene.configure(self.services, "[workers]\ncount = 3\n")
        problem = self.refused("reload")
        somebody = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        python = ("setpriv", *somebody, sys.executable, "-c", "import twisted.plugins")
        if subprocess.run(python, capture_output=True).returncode == 0:
            self.assertIn("Address already in use", problem)


class UnableTests(AnotherUserCase):
    """Who can't run it."""

    def python(self) -> Path:
        private = self.scene.folder / "private"
        private.mkdir(0o700)
        (private / "python").symlink_to(sys.prefix)
        return private / "python" / "bin" / Path(sys.executable).name

    def test_upgrade(self) -> None:
        """An upgrade is refused."""
        self.assertIn("private", self.refused("upgrade"))

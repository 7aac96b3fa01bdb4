"""Programs that stay, which are real ones: shell scripts of a few lines."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gateway.observe.scans import Scans
from gateway.scanning.daemons import Daemons
from gateway.scanning.programs import Programs
from gateway.scanning.spool import Spools
from gateway.scanning.tools import Room, Tools
from gateway.tools import Run, Terms, Unavailable

ECHO = 'echo ready; while read -r line; do echo "$$ $line"; done'

SECONDS = 20.0


class ResidentsTests(TestCase):
    """C{tools.line}, to a program."""

    terms = Terms(connections=2, keep_seconds=20, failures=2, rest_seconds=30)

    def setUp(self) -> None:
        self.folder = Path(mkdtemp(prefix="residents"))
        self.folder.chmod(0o755)
        self.daemons = Daemons(reactor, lambda: str(self.folder))
        programs = Programs(reactor, lambda: str(self.folder))
        self.tools = Tools(Room(Spools("", 0, 0), self.daemons, programs, Scans()), "scan")
        self.addCleanup(self.stop)

    @inlineCallbacks
    def stop(self) -> Any:
        self.tools.close()
        self.daemons.stop()
        yield self.until(lambda: not list(self.folder.iterdir()))

    @inlineCallbacks
    def until(self, condition: Any) -> Any:
        """Soon."""
        for _ in range(int(SECONDS / 0.02)):
            if condition():
                return
            yield deferLater(reactor, 0.02)  # type: ignore[arg-type]
        self.fail("it did not come")

    def ask(self, script: str = ECHO, **how: Any) -> Any:
        run = Run(("/bin/sh", "-c", script), {}, 2, 0, 1 << 30)
        return self.tools.line(run, self.terms, **how)

    @inlineCallbacks
    def heard(self, line: Any, count: int = 1) -> Any:
        said = b""
        while said.count(b"\n") < count:
            said += yield line.read()
        return said

    @inlineCallbacks
    def test_stays(self) -> Any:
        """The same process is asked again; a second one is started if that has something to do."""
        first = yield self.ask()
        self.assertEqual((yield self.heard(first)), b"ready\n")
        first.send(b"one\n")
        said = yield self.heard(first)
        first.keep()
        first = yield self.ask()
        self.assertEqual(first.uses, 1)
        first.send(b"one\n")
        self.assertEqual((yield self.heard(first)), said)
        second = yield self.ask()
        self.assertEqual((yield self.heard(second)), b"ready\n")
        second.send(b"one\n")
        self.assertNotEqual((yield self.heard(second)), said)
        waiting = self.ask()
        self.assertNoResult(waiting)
        first.keep()
        third = yield waiting
        self.assertEqual(third.uses, 2)

    @inlineCallbacks
    def test_confined(self) -> Any:
        """It has no privilege, nor anything of ours but its line; its folder is its own."""
        script = "cat /proc/self/status; pwd; ls -A; env; ls /proc/self/fd; echo end; read x"
        line = yield self.ask(script)
        said = b""
        while not said.endswith(b"end\n"):
            said += yield line.read()
        text = said.decode()
        for wanted in ("CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"):
            self.assertIn(f"\n{wanted}\n", text)
        self.assertNotIn("\nUid:\t0\t", text)
        self.assertNotIn("\nVIRTUAL_ENV=", text)
        self.assertTrue(text.endswith("\n0\n1\n2\n3\nend\n"), text)  # 3: the listing's own
        self.assertEqual(len(list(self.folder.iterdir())), 1)
        line.drop()

    @inlineCallbacks
    def test_killed(self) -> Any:
        """What a session leaves open is killed with it, and with all that it has started."""
        line = yield self.ask("sleep 1019 & echo $!; sleep 1019")
        process = int((yield self.heard(line)))
        self.tools.close()
        yield self.until(lambda: not alive(process))
        health = next(self.daemons.health())
        self.assertEqual((health.address, health.lines), ("/bin/sh", 0))

    @inlineCallbacks
    def test_much(self) -> Any:
        """Megabytes go in and come back, as they are taken."""
        line = yield self.ask("exec cat")
        body = os.urandom(2_000_000)
        for at in range(0, len(body), 50_000):
            line.send(body[at : at + 50_000])
        said = b""
        while len(said) < len(body):
            said += yield line.read()
        self.assertEqual(said, body)
        line.drop()

    @inlineCallbacks
    def test_gone(self) -> Any:
        """One that ends by itself, or can't be started, has ended for whoever asks."""
        line = yield self.ask("echo no >&2; exit 3")
        self.assertEqual((yield line.read()), b"")
        line.drop("it ended")
        line = yield self.ask("echo no >&2; exit 3")
        self.assertEqual((yield line.read()), b"")
        line.drop("it ended")
        yield self.assertFailure(self.ask("echo no >&2; exit 3"), Unavailable)
        (health,) = self.daemons.health()
        self.assertTrue(health.rests)

    @inlineCallbacks
    def test_no_folder(self) -> Any:
        """Where there is no room for its folder, it is not there."""
        self.daemons._folder = lambda: "/nowhere"
        yield self.assertFailure(self.ask(), Unavailable)

    @inlineCallbacks
    def test_no_process(self) -> Any:
        """Where the kernel has no process for it, it is not there, and leaves nothing behind."""

        def spawn(*arguments: Any, **how: Any) -> None:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        self.patch(reactor, "spawnProcess", spawn)
        yield self.assertFailure(self.ask(), Unavailable)
        self.assertEqual(list(self.folder.iterdir()), [])


def alive(process: int) -> bool:
    """Whether it runs, and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

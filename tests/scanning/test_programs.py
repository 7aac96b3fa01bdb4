"""Programs, which are real ones: shell scripts of a few lines."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gateway.scanning.program import MOST_SAID
from gateway.scanning.programs import Programs
from gateway.scanning.spool import Spools
from gateway.tools import Ran, Run

SECONDS = 10.0


class ProgramsTests(TestCase):
    """C{tools.run}."""

    def setUp(self) -> None:
        self.folder = Path(mkdtemp(prefix="programs"))
        self.folder.chmod(0o755)
        self.programs = Programs(reactor, lambda: str(self.folder))
        self.spools = Spools("", 1 << 20, 1 << 24)
        self.addCleanup(self.programs.stop)

    def run_(self, script: str, body: bytes = b"", **how: Any) -> Deferred[Ran]:
        """A script for the shell."""
        spool = self.spools.open(1000)
        for at in range(0, len(body), 500):
            spool.put(body[at : at + 500])
        self.addCleanup(spool.close)
        how = {"environment": {}, "at_once": 2, "seconds": 10, "memory": 1 << 30, **how}
        return self.programs.run(Run(command=("/bin/sh", "-c", script), **how), spool)

    @inlineCallbacks
    def until(self, condition: Any) -> Any:
        """Soon."""
        for _ in range(int(SECONDS / 0.02)):
            if condition():
                return
            yield deferLater(reactor, 0.02)  # type: ignore[arg-type]
        self.fail("it did not come")

    @inlineCallbacks
    def test_ran(self) -> Any:
        """It has the body on its standard input, whole; what it says and how it ends is told."""
        body = os.urandom(300_000)
        ran = yield self.run_("cat | sha256sum; echo no >&2; exit 3", body)
        self.assertEqual(ran.status, 3)
        self.assertIn(sha256(body).hexdigest().encode(), ran.said)
        self.assertEqual(ran.complained, b"no\n")

    @inlineCallbacks
    def test_nothing_of_ours(self) -> Any:
        """It has no privilege, and no way to one; its folder is empty, and is gone afterwards."""
        script = "cat /proc/self/status; pwd; ls -A; env; ulimit -c; touch x && ls /proc/self/fd"
        ran = yield self.run_(script, environment={"A": "b c"})
        said = ran.said.decode()
        for line in ("CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"):
            self.assertIn(f"\n{line}\n", said)
        self.assertNotIn("\nUid:\t0\t", said)
        self.assertIn("\nA=b c\n", said)
        self.assertNotIn("\nVIRTUAL_ENV=", said)
        self.assertTrue(said.endswith("\n0\n0\n1\n2\n3\n"), said)  # 3: the listing's own
        self.assertEqual(list(self.folder.iterdir()), [])

    @inlineCallbacks
    def test_early(self) -> Any:
        """One that has seen enough need not read the rest."""
        ran = yield self.run_("head -c 3", b"x" * 300_000)
        self.assertEqual((ran.status, ran.said), (0, b"xxx"))

    @inlineCallbacks
    def test_killed(self) -> Any:
        """One that is given up is killed, with all that it has started, and its folder goes."""
        mark = self.folder / "mark"
        running = self.run_(f"(sleep 1000; :) & echo $$ > {mark}; cat; sleep 1000")
        self.folder.chmod(0o777)
        yield self.until(lambda: mark.exists() and mark.read_text())
        pid = int(mark.read_text())
        mark.unlink()
        running.addErrback(lambda failure: None)
        running.cancel()
        yield self.until(lambda: list(self.folder.iterdir()) == [])
        self.assertFalse(_members(pid))

    @inlineCallbacks
    def test_much(self) -> Any:
        """One that says too much is killed."""
        ran = yield self.run_("exec cat /dev/zero")
        self.assertIsNone(ran.status)
        self.assertEqual(len(ran.said), MOST_SAID)

    @inlineCallbacks
    def test_memory(self) -> Any:
        """One that wants more memory than it may have fails."""
        script = "head -c 200000000 /dev/zero | tail -c 200000000 | wc -c"
        ran = yield self.run_(script, memory=100 << 20)
        self.assertEqual(ran.said.strip(), b"0")

    @inlineCallbacks
    def test_turns(self) -> Any:
        """So many run at a time; who gives up while it waits never runs."""
        self.folder.chmod(0o777)
        marks = [self.folder / name for name in ("first", "second", "third")]
        script = 'touch "$MARK"; sleep 0.2; exit 3'
        first, second, third = [self.run_(script, environment={"MARK": str(m)}) for m in marks]
        third.addErrback(lambda failure: None)
        third.cancel()
        for each in (first, second):
            self.assertEqual((yield each).status, 3)
        self.assertEqual([mark.exists() for mark in marks], [True, True, False])
        for mark in marks[:2]:
            mark.unlink()
        script = "cat >/dev/null; sleep 0.2; ls .. | wc -l"
        every = [self.run_(script) for _ in range(5)]
        counts = []
        for each in every:
            counts.append(int((yield each).said))
        self.assertLessEqual(max(counts), 2)

    @inlineCallbacks
    def test_none(self) -> Any:
        """A program that is not there is a failure in words."""
        spool = self.spools.open(10)
        run = Run(("/nowhere/scan",), {}, 1, 1, 1 << 30)
        for _ in range(2):
            ran = yield self.programs.run(run, spool)
            self.assertNotIn(ran.status, (0, 1))
            self.assertIn(b"/nowhere/scan", ran.complained)


def _members(session: int) -> list[str]:
    """Whoever is left of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(str(stat))
    return found

"""One run of a suite: directly, or through an inspector."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from conformance.install import CACHE, Installed, authority
from conformance.loopback import Loopback, loopback
from conformance.suites import Runner, Suite

RECORDERS = Path(__file__).resolve().parent / "recorders"

TEST_SECONDS = 20
"""A test that takes so long has failed. The recorders do so, too."""

SEVERITY = ("passed", "skipped", "failed")
"""A test that is recorded twice (a call and its tear-down) counts as the worse of the two."""


def kind(outcome: str) -> str:
    """An outcome without what may be said about it: C{"failed: why"}."""
    return outcome.partition(":")[0]


def severity(outcome: str) -> int:
    """How bad it is."""
    return SEVERITY.index(kind(outcome))


@frozen
class Run:
    """
    What came of one run.

    @ivar outcomes: how each test ended.
    @ivar connections: what clients began: connections by TCP, and flows by UDP if they are taken.
    @ivar sessions: what the gateway's audit says about them.
    @ivar cut_off: the time limit ended it.
    """

    outcomes: Mapping[str, str]
    connections: int
    seconds: float
    sessions: Counter[str] = field(factory=Counter)
    cut_off: bool = False

    def __str__(self) -> str:
        counted = Counter(map(kind, self.outcomes.values()))
        return "/".join(str(counted[outcome]) for outcome in ("passed", "failed", "skipped"))


def drive(
    suite: Suite,
    inspector: str,
    until: float,
    tests: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> Run:
    """
    Run a suite that is installed, or some tests of it, in a namespace of its own.

    @param inspector: what it goes through; "" for a direct run.
    @param until: when to cut it off, in seconds of L{time.monotonic}, whatever its own limit.
    @param left_out: patterns of tests that are not run, beside those that the suite leaves out.
    """
    folder = runs(suite)
    folder.mkdir(parents=True, exist_ok=True)
    with loopback(folder, inspector) as place:
        record = folder / f"record-{place.name}.json"
        record.write_text("")
        before, started = place.connections(), time.monotonic()
        seconds = min(suite.seconds, max(0.0, until - started))
        environ = environment(record, suite, [*suite.left_out, *left_out])
        cut_off = execute(suite, place, environ, tests or suite.tests, seconds)
        took = time.monotonic() - started
        connections = place.connections() - before
        if inspector:
            place.settle(connections)
    return Run(read(record), connections, took, place.sessions(), cut_off)


def runs(suite: Suite) -> Path:
    """Where everything is kept that a suite's runs say."""
    return CACHE / "runs" / suite.name


def execute(
    suite: Suite,
    place: Loopback,
    environ: Mapping[str, str],
    tests: Sequence[str],
    seconds: float,
) -> bool:
    """Run the suite's own runner to its end or to the time limit. Say which."""
    installed = Installed(suite.origin)
    command = place.command(installed.python, *arguments(suite, tests))
    with Path(environ["CONFORMANCE_RECORD"]).with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=installed.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def arguments(suite: Suite, tests: Sequence[str]) -> list[str]:
    """What the interpreter is told, by the kind of runner."""
    if suite.runner is not Runner.PYTEST:
        return [str(RECORDERS / f"{suite.runner.value}.py"), *tests]
    options = ["-p", suite.runner.value, "-p", "no:cacheprovider", "-c", "/dev/null"]
    options += [f"--timeout={TEST_SECONDS}", *suite.options]
    return ["-m", "pytest", "-q", "--rootdir=.", *options, *tests]


def environment(record: Path, suite: Suite, left_out: Sequence[str]) -> dict[str, str]:
    """The recorders can be imported, and know where to write and what not to run."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(record.parent),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(RECORDERS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CONFORMANCE_RECORD": str(record),
        "CONFORMANCE_AUTHORITY": str(authority()),
        "CONFORMANCE_SHARED": "shared" if suite.shared else "",
        "CONFORMANCE_SECURED": "secured" if suite.secured else "",
        "CONFORMANCE_LEFT_OUT": json.dumps(left_out),
    }


def read(record: Path) -> dict[str, str]:
    """How each test ended."""
    outcomes: dict[str, str] = {}
    for test, outcome in map(json.loads, record.read_text().splitlines()):
        worst = max(outcomes.get(test, outcome), outcome, key=severity)
        outcomes[test] = worst
    return outcomes

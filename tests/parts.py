"""
All tests, several trials at a time: C{python -m tests.parts}, or C{make test}.

End-to-end tests wait more than they compute, and the tests of a class share one scene. So each of
their modules is a part, a trial of its own; so is each folder of other tests. Some parts run side
by side, those that take longest first, so that none is left over at the end. What a part printed is
printed as a whole when it has ended; the summary at the end is the sum, in trial's words.

Where real programs share two processors with three other trials, a test may fail by luck. So if it
is few tests that failed, each is run again with nothing beside it, several times: who passes every
time has passed, and is named before the summary, because it is a fault all the same.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

LONG = HERE / "long"
"""The names of the parts that take longest, the longest first."""

SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
RAN = re.compile(r"^Ran (\d+) tests in ", re.MULTILINE)
FAILED = ("failures", "errors", "unexpectedSuccesses")
ORDER = ("skips", "expectedFailures", "failures", "errors", "unexpectedSuccesses", "successes")


FAILED_BLOCK = re.compile(
    r"^\[(?:FAIL|ERROR)\]\n(.*?)(?=^(?:={20,}|-{20,})$)", re.MULTILINE | re.DOTALL
)
TEST = re.compile(r"^[\w.]+\.test\w*$", re.MULTILINE)

FEW = 4
"""If more tests than these failed, it was not by luck, and none is run again."""

TIMES = 3
"""How often a test that failed beside others has to pass alone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How one part ended.

    @ivar seconds: how long it took, and how much of a processor, with what it started and awaited.
    @ivar counts: its tests by trial's words for how they ended.
    """

    name: str
    printed: str
    seconds: tuple[float, float]
    counts: Counter[str] = field(default_factory=Counter)
    ran: int = 0


CUT = ("tests", "tests.kernel", "tests.kernel.release", "tests.netns", "tests.protocols")
"""The folders that are no part as a whole: what is in them is."""


def part(module: Path) -> str:
    """The name of the part that a module of tests belongs to."""
    name = ".".join(module.relative_to(HERE.parent).with_suffix("").parts)
    while name.rpartition(".")[0] not in CUT:
        name = name.rpartition(".")[0]
    return name


def names() -> list[str]:
    """All parts, those that take longest first."""
    found = {part(module) for module in HERE.rglob("test_*.py")}
    long = [line for line in LONG.read_text().splitlines() if line and not line.startswith("#")]
    if gone := set(long).difference(found):
        raise SystemExit(f"{LONG.name} names parts that are not there: {', '.join(sorted(gone))}")
    return [*long, *sorted(found.difference(long))]


def failed_tests(one: Outcome) -> list[str]:
    """The names of a part's tests that failed, each once."""
    found = (name for block in FAILED_BLOCK.findall(one.printed) for name in TEST.findall(block))
    return list(dict.fromkeys(found))


def bad(one: Outcome) -> int:
    """How many of a part's tests failed."""
    return sum(one.counts[word] for word in FAILED)


def outcome(name: str, printed: str, status: int, seconds: tuple[float, float]) -> Outcome:
    """What trial's last words mean. A part that did not run to its end counts as an error."""
    summaries, ran = SUMMARY.findall(printed), RAN.findall(printed)
    counts: Counter[str] = Counter()
    if summaries:
        counts.update({word: int(n) for word, n in re.findall(r"(\w+)=(\d+)", summaries[-1])})
    failed = any(counts[word] for word in FAILED)
    if not ran or not counts or (status != 0 and not failed):
        counts["errors"] += 1
        printed += f"\n[ERROR]\n{name} did not run to its end (exit status {status}).\n"
    return Outcome(name, printed, seconds, counts, int(ran[-1]) if ran else 0)


def run(number: int, name: str, folder: Path, options: list[str], limit: float) -> Outcome:
    """
    One part, in a trial of its own.

    @param number: names its folder. A name would be long: sockets are made below it, whose paths
        may have 107 bytes.
    """
    trial = Path(sys.executable).with_name("trial")
    began = time.monotonic()
    with (folder / name).open("w+b") as output:
        command = (str(trial), f"--temp-directory=_trial_temp/{number}", *options, name)
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        watch = threading.Timer(limit, process.kill)
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    seconds = (time.monotonic() - began, used.ru_utime + used.ru_stime)
    return outcome(name, printed, process.returncode, seconds)


def outcomes(parts: list[str], jobs: int, options: list[str], limit: float) -> Iterator[Outcome]:
    """All parts, each as it ends."""
    Path("_trial_temp").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        waiting = [
            pool.submit(run, number, name, Path(folder), options, limit)
            for number, name in enumerate(parts)
        ]
        for ended in as_completed(waiting):
            yield ended.result()


def took(one: Outcome) -> str:
    """How long a part took, and how much of a processor."""
    return f"{one.seconds[0]:7.1f}  {one.seconds[1]:9.1f}  {one.name}"


def passes_alone(name: str, options: list[str], limit: float) -> bool:
    """Whether a test passes each time that nothing runs beside it. What is printed is shown."""
    for _ in range(TIMES):
        (one,) = outcomes([name], 1, options, limit)
        print(one.printed, took(one), sep="\n", flush=True)
        if bad(one) or not one.counts["successes"]:
            return False
    return True


def again(ended: list[Outcome], options: list[str], limit: float) -> list[str]:
    """
    Run again, alone, what failed beside others, if it is few.

    @return: the tests that passed then; they are counted as successes from now on.
    """
    failures = {one.name: failed_tests(one) for one in ended if bad(one)}
    # A part that did not run to its end, or a test with two errors, cannot be counted anew.
    lucky = all(len(failures[one.name]) == bad(one) for one in ended if bad(one))
    if not lucky or sum(len(names) for names in failures.values()) > FEW:
        return []
    passed = []
    for one in ended:
        for name in failures.get(one.name, ()):
            if passes_alone(name, options, limit):
                word = next(word for word in FAILED if one.counts[word])
                one.counts.update({word: -1, "successes": 1})
                passed.append(name)
    return passed


def told(ended: list[Outcome], seconds: float, alone: Sequence[str] = ()) -> str:
    """
    The sum, as trial says it, after the parts that took longest.

    @param alone: the tests that passed only when nothing ran beside them.
    """
    slowest = sorted(ended, key=lambda one: -one.seconds[0])[:20]
    lines = ["seconds   processor"]
    lines += [took(one) for one in slowest]
    if alone:
        lines += ["", f"Failed beside others and passed {TIMES} times alone; find out why:", *alone]
    total = sum((one.counts for one in ended), Counter[str]())
    verdict = "FAILED" if any(bad(one) for one in ended) else "PASSED"
    words = ", ".join(f"{word}={total[word]}" for word in ORDER if total[word])
    lines += ["", f"Ran {sum(one.ran for one in ended)} tests in {seconds:.3f}s", ""]
    return "\n".join([*lines, f"{verdict} ({words})"])


def compile_all() -> None:
    """
    Compile our modules, which a thousand processes begin with. Python itself does not keep what it
    compiles where PYTHONDONTWRITEBYTECODE is set.
    """
    for folder in ("gateway", "protocols", "twisted", "tests"):
        compileall.compile_dir(HERE.parent / folder, quiet=1)


def main() -> int:
    """Run the parts that are named, or all."""
    known = argparse.ArgumentParser(usage="python -m tests.parts [option …] [trial's option …]")
    jobs = (os.cpu_count() or 1) + 1
    known.add_argument("--jobs", type=int, default=jobs, help=f"parts at a time ({jobs})")
    known.add_argument("--limit", type=float, default=600, help="seconds for each part (600)")
    arguments, options = known.parse_known_args()
    compile_all()
    began, ended = time.monotonic(), []
    for one in outcomes(names(), arguments.jobs, options, arguments.limit):
        print(one.printed, took(one), sep="\n", flush=True)
        ended.append(one)
    alone = again(ended, options, arguments.limit)
    print(told(ended, time.monotonic() - began, alone))
    return 1 if any(bad(one) for one in ended) else 0


if __name__ == "__main__":
    sys.exit(main())

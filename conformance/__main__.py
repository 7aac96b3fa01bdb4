"""
C{python -m conformance [SUITE ...]}: other people's tests, directly and through the gateway.

Prints a table and every difference. Exits with 1 if there is a difference that
C{differences} does not list, or if connections went past the gateway.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

from attrs import frozen

from conformance.comparison import (
    Difference,
    Known,
    differences,
    known_differences,
    left_out,
    unknown,
    without,
)
from conformance.driven import Run, drive
from conformance.install import CACHE, Installed
from conformance.loopback import SERVICES
from conformance.suites import SUITES, Suite
from conformance.verdict import HEAD, LINE, Verdict, table

AT_ONCE = 2
"""Suites that run at the same time: most of their time they wait."""

AGAIN = 2
"""How often what differs is run again."""

SECONDS = 1200.0


@frozen
class Task:
    """A suite and what it is to be driven through."""

    suite: Suite
    inspectors: tuple[str, ...]


def main() -> None:
    """Install, run, print, and exit."""
    arguments = parser().parse_args()
    if os.geteuid():
        sys.exit("conformance: network namespaces need root")
    started = time.monotonic()
    todo = tasks(arguments.suites, arguments.inspector)
    for origin in {task.suite.origin.name: task.suite.origin for task in todo}.values():
        Installed(origin).install()
    print("passed/failed/skipped, directly and through the gateway:")
    print(LINE.format(*HEAD), flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        judged = pool.map(
            partial(judge, known_differences(), time.monotonic() + arguments.seconds), todo
        )
        verdicts = list(chain.from_iterable(judged))
    for complaint in chain.from_iterable(verdict.complaints() for verdict in verdicts):
        print(complaint)
    (CACHE / "table.md").write_text(table(verdicts))
    print(f"{time.monotonic() - started:.0f} seconds")
    sys.exit(not all(verdict.good for verdict in verdicts))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    names = ", ".join(suite.name for suite in SUITES)
    made.add_argument("suites", nargs="*", type=named, metavar="SUITE", help=names)
    made.add_argument(
        "--inspector",
        choices=sorted(service.stem for service in SERVICES.glob("*.toml")),
        help="only through this one; without SUITE, the suites that are known to go through it",
    )
    made.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help=f"time for all runs together (default: {SECONDS:.0f})",
    )
    return made


def named(name: str) -> Suite:
    """
    The suite of that name.

    @raise argparse.ArgumentTypeError: there is none.
    """
    for suite in SUITES:
        if suite.name == name:
            return suite
    raise argparse.ArgumentTypeError(f"no suite is called {name!r}")


def tasks(suites: Sequence[Suite], inspector: str | None) -> tuple[Task, ...]:
    """What is to be run. A suite that is named goes through any inspector, listed or not."""
    if inspector is None:
        return tuple(Task(suite, suite.inspectors) for suite in suites or SUITES)
    chosen = suites or [suite for suite in SUITES if inspector in suite.inspectors]
    return tuple(Task(suite, (inspector,)) for suite in chosen)


def judge(known: tuple[Known, ...], until: float, task: Task) -> list[Verdict]:
    """Run a suite directly once, and through each of its inspectors."""
    direct = drive(task.suite, "", until)
    verdicts = []
    for inspector in task.inspectors:
        verdicts.append(compare(task.suite, direct, inspector, known, until))
        print(verdicts[-1], flush=True)
    return verdicts


def compare(
    suite: Suite, direct: Run, inspector: str, known: tuple[Known, ...], until: float
) -> Verdict:
    """Run through one inspector. What differs is run again on both sides: tests are flaky."""
    unused = left_out(known, suite.name, inspector)
    through = drive(suite, inspector, until, left_out=unused)
    expected = without(direct.outcomes, unused)
    found = differences(expected, through.outcomes)
    strange = unknown(found, known, suite.name, inspector)
    listed = len(found) - len(strange)
    for _ in range(0 if through.cut_off else AGAIN):
        strange = again(suite, inspector, strange, until)
    not_run = len(direct.outcomes) - len(expected)
    return Verdict(suite.name, inspector, direct, through, not_run, len(found), listed, strange)


def again(
    suite: Suite, inspector: str, found: tuple[Difference, ...], until: float
) -> tuple[Difference, ...]:
    """Those of the differences that are still there when only those tests run."""
    if not found:
        return ()
    tests = [one.test for one in found]
    direct = drive(suite, "", until, tests)
    through = drive(suite, inspector, until, tests)
    return differences(direct.outcomes, through.outcomes)


if __name__ == "__main__":
    main()

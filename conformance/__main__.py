"""
C{python -m conformance [SUITE ...]}: other people's tests, directly and through the gateway.

Prints a table and every difference. Exits with 1 if there is a difference that
C{differences.toml} does not list, or if connections went past the gateway.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

from attrs import frozen

from conformance.comparison import Difference, Known, differences, known_differences, unknown
from conformance.driven import Run, drive
from conformance.install import Installed
from conformance.suites import SUITES, Suite

AT_ONCE = 2
"""Suites that run at the same time: most of their time they wait."""

HEAD = (
    "suite",
    "inspector",
    "direct",
    "gateway",
    "connections",
    "sessions",
    "differ",
    "unknown",
    "seconds",
)
LINE = "{:10} {:9} {:>14} {:>14} {:>11} {:>8} {:>6} {:>7} {:>7}"


@frozen
class Verdict:
    """
    One line of the table.

    @ivar different: how many tests ended differently.
    @ivar unknown: those of them that are not listed and differed again.
    """

    suite: str
    inspector: str
    direct: Run
    through: Run
    different: int
    unknown: tuple[Difference, ...]

    @property
    def bypassed(self) -> int:
        """Connections that no session is recorded for."""
        return max(0, self.through.connections - self.through.sessions.total())

    @property
    def good(self) -> bool:
        """Nothing unexpected, and everything went through."""
        return not self.unknown and not self.bypassed and self.through.sessions.total() > 0

    def __str__(self) -> str:
        return LINE.format(
            self.suite,
            self.inspector,
            f"{self.direct}",
            f"{self.through}",
            self.through.connections,
            self.through.sessions.total(),
            f"{self.different}",
            f"{len(self.unknown)}",
            f"{self.direct.seconds:.0f}/{self.through.seconds:.0f}",
        )


def main() -> None:
    """Run, print, and exit."""
    arguments = parser().parse_args()
    if os.geteuid():
        sys.exit("conformance: network namespaces need root")
    chosen = [suite for suite in SUITES if not arguments.suite or suite.name in arguments.suite]
    started = time.monotonic()
    print("passed/failed/skipped, directly and through the gateway:")
    print(LINE.format(*HEAD), flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        judged = pool.map(partial(judge, known_differences()), chosen)
        verdicts = list(chain.from_iterable(judged))
    tell(verdicts)
    print(f"{time.monotonic() - started:.0f} seconds")
    sys.exit(not all(verdict.good for verdict in verdicts))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    names = [suite.name for suite in SUITES]
    made.add_argument("suite", nargs="*", choices=names, metavar="SUITE", help=", ".join(names))
    return made


def judge(known: tuple[Known, ...], suite: Suite) -> list[Verdict]:
    """Install a suite, run it directly once, and through each of its inspectors."""
    installed = Installed(suite)
    installed.install()
    direct = drive(installed, "")
    verdicts = [compare(installed, direct, inspector, known) for inspector in suite.inspectors]
    for verdict in verdicts:
        print(verdict, flush=True)
    return verdicts


def compare(installed: Installed, direct: Run, inspector: str, known: tuple[Known, ...]) -> Verdict:
    """Run through one inspector. What differs is run again on both sides: tests can be flaky."""
    name = installed.suite.name
    through = drive(installed, inspector)
    found = differences(direct.outcomes, through.outcomes)
    strange = unknown(found, known, name, inspector)
    if strange:
        strange = again(installed, inspector, strange)
    return Verdict(name, inspector, direct, through, len(found), strange)


def again(
    installed: Installed, inspector: str, found: tuple[Difference, ...]
) -> tuple[Difference, ...]:
    """Those of the differences that are still there when only those tests run."""
    tests = [one.test for one in found]
    direct, through = drive(installed, "", tests), drive(installed, inspector, tests)
    return differences(direct.outcomes, through.outcomes)


def tell(verdicts: list[Verdict]) -> None:
    """Name every difference that is not known, and everything else that is wrong."""
    for verdict in verdicts:
        for difference in verdict.unknown:
            print(f"{verdict.suite} ({verdict.inspector}): {difference}")
        if not verdict.through.sessions.total():
            print(f"{verdict.suite}: no session in the audit")
        if verdict.bypassed:
            print(f"{verdict.suite}: {verdict.bypassed} connections went past the gateway")
        if verdict.direct.cut_off or verdict.through.cut_off:
            print(f"{verdict.suite}: a run was cut off by the suite's time limit")


if __name__ == "__main__":
    main()

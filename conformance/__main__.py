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

AGAIN = 2
"""How often what differs is run again."""

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
    @ivar unknown: those of them that are not listed and differed every time.
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
        """Everything ran, everything went through, and nothing differs that should not."""
        cut_off = self.direct.cut_off or self.through.cut_off
        went_through = self.through.sessions.total() > 0 and not self.bypassed
        return went_through and not cut_off and not self.unknown

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
    started = time.monotonic()
    print("passed/failed/skipped, directly and through the gateway:")
    print(LINE.format(*HEAD), flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        judged = pool.map(
            partial(judge, known_differences(), started + arguments.seconds),
            arguments.suites or SUITES,
        )
        verdicts = list(chain.from_iterable(judged))
    tell(verdicts)
    print(f"{time.monotonic() - started:.0f} seconds")
    sys.exit(not all(verdict.good for verdict in verdicts))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    names = ", ".join(suite.name for suite in SUITES)
    made.add_argument("suites", nargs="*", type=named, metavar="SUITE", help=names)
    made.add_argument(
        "--seconds", type=float, default=580, help="time for everything (default: 580)"
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


def judge(known: tuple[Known, ...], until: float, suite: Suite) -> list[Verdict]:
    """Install a suite, run it directly once, and through each of its inspectors."""
    installed = Installed(suite)
    installed.install()
    direct = drive(installed, "", until)
    verdicts = [
        compare(installed, direct, inspector, known, until) for inspector in suite.inspectors
    ]
    for verdict in verdicts:
        print(verdict, flush=True)
    return verdicts


def compare(
    installed: Installed, direct: Run, inspector: str, known: tuple[Known, ...], until: float
) -> Verdict:
    """Run through one inspector. What differs is run again on both sides: tests are flaky."""
    name = installed.suite.name
    through = drive(installed, inspector, until)
    found = differences(direct.outcomes, through.outcomes)
    strange = unknown(found, known, name, inspector)
    for _ in range(AGAIN if strange else 0):
        strange = again(installed, inspector, strange, until)
    return Verdict(name, inspector, direct, through, len(found), strange)


def again(
    installed: Installed, inspector: str, found: tuple[Difference, ...], until: float
) -> tuple[Difference, ...]:
    """Those of the differences that are still there when only those tests run."""
    if not found:
        return ()
    tests = [one.test for one in found]
    direct = drive(installed, "", until, tests)
    through = drive(installed, inspector, until, tests)
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
            print(
                f"{verdict.suite}: cut off by the time limit, see .conformance/{verdict.suite}/runs"
            )


if __name__ == "__main__":
    main()

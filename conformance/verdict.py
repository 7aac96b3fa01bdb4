"""What came of a suite and an inspector: one line of the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from conformance.comparison import Difference
from conformance.driven import Run

HEAD = (
    "suite",
    "inspector",
    "direct",
    "gateway",
    "connections",
    "sessions",
    "not run",
    "same",
    "listed",
    "passing",
    "unknown",
    "seconds",
)
LINE = "{:13} {:9} {:>14} {:>14} {:>11} {:>8} {:>7} {:>5} {:>6} {:>7} {:>7} {:>7}"


@frozen
class Verdict:
    """
    One line of the table.

    @ivar not_run: how many tests are not even run through the inspector.
    @ivar different: how many tests ended differently.
    @ivar listed: how many of them C{differences} lists.
    @ivar unknown: those that it does not list and that differed every time.
    """

    suite: str
    inspector: str
    direct: Run
    through: Run
    not_run: int
    different: int
    listed: int
    unknown: tuple[Difference, ...]

    @property
    def bypassed(self) -> int:
        """Connections that no session is recorded for."""
        return max(0, self.through.connections - self.through.sessions.total())

    @property
    def cut_off(self) -> bool:
        """Whether the time limit ended a run."""
        return self.direct.cut_off or self.through.cut_off

    @property
    def good(self) -> bool:
        """Everything ran, everything went through, and nothing differs that should not."""
        went_through = self.through.sessions.total() > 0 and not self.bypassed
        return went_through and not self.cut_off and not self.unknown

    @property
    def cells(self) -> tuple[str, ...]:
        """The line, in the order of L{HEAD}."""
        unknown = len(self.unknown)
        tests = len({*self.direct.outcomes, *self.through.outcomes})
        return (
            self.suite,
            self.inspector,
            str(self.direct),
            str(self.through),
            str(self.through.connections),
            str(self.through.sessions.total()),
            str(self.not_run),
            str(tests - self.not_run - self.different),
            str(self.listed),
            str(self.different - self.listed - unknown),
            str(unknown),
            f"{self.direct.seconds:.0f}/{self.through.seconds:.0f}",
        )

    def __str__(self) -> str:
        return LINE.format(*self.cells)

    def complaints(self) -> Iterator[str]:
        """Every difference that is not known, and everything else that is wrong."""
        name = f"{self.suite} ({self.inspector})"
        for difference in self.unknown:
            yield f"{name}: {difference}"
        if not self.through.sessions.total():
            yield f"{name}: no session in the audit"
        if self.bypassed:
            yield f"{name}: {self.bypassed} connections went past the gateway"
        if self.cut_off:
            yield f"{name}: cut off by the time limit, see .conformance/runs/{self.suite}"


def table(verdicts: Iterable[Verdict]) -> str:
    """All of them, for a page of documentation."""
    lines = (HEAD, ("---",) * len(HEAD), *(verdict.cells for verdict in verdicts))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

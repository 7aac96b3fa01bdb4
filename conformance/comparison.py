"""What differs between a direct run and one through the gateway, and what of it is known."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from attrs import field, frozen

DIFFERENCES = Path(__file__).with_name("differences")
"""One file for each inspector."""

ANY = "any"
"""The name of the file for all of them."""

NOT_RUN = "not run"


@frozen
class Difference:
    """One test that ended in two ways."""

    test: str
    direct: str
    through: str

    def __str__(self) -> str:
        return f"{self.test}: {self.direct} directly, {self.through} through the gateway"


def several(tests: str | Sequence[str]) -> tuple[str, ...]:
    """One test is written without brackets."""
    return (tests,) if isinstance(tests, str) else tuple(tests)


@frozen
class Known:
    """
    Differences that are as they should be, and why.

    @ivar suite: a name, or a pattern, as is each of C{tests}.
    @ivar tests: one or several.
    @ivar inspector: its name, or L{ANY}.
    @ivar outcome: how they end through the gateway, if they differ: another end is a difference
        that nobody knows.
    @ivar run: whether the tests are run through the inspector all the same.
    """

    suite: str
    tests: tuple[str, ...] = field(converter=several)
    reason: str
    inspector: str = ANY
    outcome: str = "failed"
    run: bool = True

    @property
    def patterns(self) -> tuple[str, ...]:
        """Of the tests' names. The brackets of pytest's parameters stand for themselves."""
        return tuple(test.replace("[", "[[]") for test in self.tests)

    def concerns(self, suite: str, inspector: str) -> bool:
        """Whether it speaks of this run."""
        return fnmatchcase(suite, self.suite) and self.inspector in (inspector, ANY)

    def covers(self, suite: str, inspector: str, found: Difference) -> bool:
        """Whether this difference is as it should be."""
        return (
            self.concerns(suite, inspector)
            and self.outcome == found.through.partition(":")[0]
            and any(fnmatchcase(found.test, pattern) for pattern in self.patterns)
        )


def known_differences(folder: Path = DIFFERENCES) -> tuple[Known, ...]:
    """
    What the files in C{differences} list: each is about the inspector that it is named after.

    @raise TypeError: an entry has an unknown key, or lacks one.
    """
    return tuple(
        Known(inspector=file.stem, **entry)
        for file in sorted(folder.glob("*.toml"))
        for entry in tomllib.loads(file.read_text()).get("difference", ())
    )


def differences(direct: Mapping[str, str], through: Mapping[str, str]) -> tuple[Difference, ...]:
    """All tests that ended differently, or did not run on one side."""
    found = (
        Difference(test, direct.get(test, NOT_RUN), through.get(test, NOT_RUN))
        for test in sorted({*direct, *through})
    )
    return tuple(one for one in found if one.direct != one.through)


def unknown(
    found: Sequence[Difference], known: Sequence[Known], suite: str, inspector: str
) -> tuple[Difference, ...]:
    """The differences that no entry covers."""
    return tuple(
        one for one in found if not any(entry.covers(suite, inspector, one) for entry in known)
    )


def left_out(known: Sequence[Known], suite: str, inspector: str) -> tuple[str, ...]:
    """Patterns of the tests that are not run through an inspector."""
    return tuple(
        pattern
        for entry in known
        for pattern in entry.patterns
        if not entry.run and entry.concerns(suite, inspector)
    )


def without(outcomes: Mapping[str, str], patterns: Sequence[str]) -> dict[str, str]:
    """Outcomes of the tests that no pattern matches."""
    return {
        test: outcome
        for test, outcome in outcomes.items()
        if not any(fnmatchcase(test, pattern) for pattern in patterns)
    }

"""
The quick tests: C{python -m tests.quick}, or C{make quick}, in half a minute.

All tests that need no namespaces, without the slowest ones, on two processors. Who changes a line
wants to hear at once what it broke; C{make test} runs everything before the change lands.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import TestCase, TestSuite

from twisted.trial.runner import TestLoader

HERE = Path(__file__).resolve().parent

SLOW = HERE / "slow"
"""The names of the tests that are left out."""

APART = (
    *("tests.netns", "tests.kernel", "tests.test_packaging", "tests.conformance"),
    "tests.protocols.mime.test_readers",
)
"""Parts that need namespaces, root, or programs of others."""

WORKERS = 2


def parts() -> list[str]:
    """The names of all packages and modules of tests that are quick as a whole."""
    modules = [path.stem for path in HERE.glob("test_*.py")]
    packages = [path.parent.name for path in HERE.glob("*/__init__.py")]
    names = (f"tests.{name}" for name in sorted({*modules, *packages}))
    return [name for name in names if name not in APART]


def each(found: Any) -> Iterator[TestCase]:
    """All test cases of a suite, however deep; of what can't be imported, that."""
    if isinstance(found, TestSuite):
        for one in found:
            yield from each(one)
    else:
        yield found


def main() -> None:
    """Have trial run them; its options are this program's."""
    listed = SLOW.read_text().splitlines()
    slow = {line for line in listed if line and not line.startswith("#")}
    found = [test.id() for name in parts() for test in each(TestLoader().loadByName(name, True))]
    if gone := slow.difference(found):
        print(f"{SLOW.name} names tests that are not there: {', '.join(sorted(gone))}")
    trial = Path(sys.executable).with_name("trial")
    workers = f"--jobs={WORKERS}"
    apart = tuple(f"{name}." for name in APART)
    chosen = [name for name in found if name not in slow and not name.startswith(apart)]
    os.execv(trial, [str(trial), workers, *sys.argv[1:], *chosen])


if __name__ == "__main__":
    main()

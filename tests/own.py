"""
How much of each module is run by its own tests: C{python -m tests.own}, or C{make coverage}.

That the whole suite runs a line says little: a session test runs half of the policy. What counts is
whether the tests that stand where one looks for them, C{tests/policy} for C{gateway/policy}, would
notice. End-to-end tests don't count: they are too far away, and run in other processes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverage import Coverage, CoverageData

from tests.parts import names

ROOT = Path(__file__).resolve().parent.parent
APART = ("tests.netns", "tests.kernel.release", "tests.conformance", "tests.bench")
"""Parts that need namespaces, or are about other programs of this project."""

UNTESTED = ("gateway/lab", "gateway/cli/lab.py", "gateway/testing")
"""What is run by end-to-end tests only, or by all tests."""


@dataclass(frozen=True, order=True)
class Row:
    """
    One module.

    @ivar own: the share of its lines that its own tests run, of one.
    @ivar all: the share that any unit test runs.
    """

    own: float
    all: float
    module: str


def owner(module: str) -> str:
    """How the names of a module's own parts begin: C{tests.policy} of gateway/policy/x.py."""
    parts = Path(module).with_suffix("").parts
    if parts[0] == "gateway":
        parts = parts[1:]
    folder = ".".join(("tests", *parts[:-1]))
    return folder if len(parts) > 1 + (parts[0] == "protocols") else f"{folder}.test_{parts[-1]}"


def measure(data_file: Path, parts: list[str]) -> None:
    """Run the parts, and put what each ran into the file, under its name."""
    for part in parts:
        command = [sys.executable, "-m", "coverage", "run", "--append", f"--data-file={data_file}"]
        command += [f"--context={part}", "--source=gateway,protocols", "-m", "twisted.trial"]
        folder = data_file.parent / part
        done = subprocess.run(
            [*command, f"--temp-directory={folder}", part], capture_output=True, text=True
        )
        if done.returncode:
            print(f"{part}: failed\n{done.stdout[-2000:]}{done.stderr[-2000:]}", flush=True)


def rows(data_file: Path) -> Iterator[Row]:
    """All modules."""
    coverage = Coverage(data_file=str(data_file))
    coverage.load()
    data: CoverageData = coverage.get_data()
    for path in sorted(ROOT.glob("gateway/**/*.py")) + sorted(ROOT.glob("protocols/**/*.py")):
        module = str(path.relative_to(ROOT))
        _, statements, _, _, _ = coverage.analysis2(str(path))
        if not statements or module.startswith(UNTESTED):
            continue
        own, ran = set(), set()
        for line, contexts in data.contexts_by_lineno(str(path)).items():
            ran.add(line)
            if any(f"{context}.".startswith(f"{owner(module)}.") for context in contexts):
                own.add(line)
        lines = set(statements)
        yield Row(len(own & lines) / len(lines), len(ran & lines) / len(lines), module)


def main() -> None:
    """Measure, and list the modules whose own tests run the least of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.own", description=__doc__)
    parser.add_argument("--below", type=float, default=0.9, help="show modules below (0.9)")
    parser.add_argument("part", nargs="*", help="parts of the tests, such as tests.policy (all)")
    arguments = parser.parse_args()
    parts = arguments.part or [name for name in names() if not name.startswith(APART)]
    with tempfile.TemporaryDirectory() as folder:
        data_file = Path(folder) / "coverage"
        measure(data_file, parts)
        found = sorted(row for row in rows(data_file) if owner(row.module).startswith(tuple(parts)))
    print(" own   all")
    for row in found:
        if row.own < arguments.below:
            print(f"{row.own:4.0%}  {row.all:4.0%}  {row.module}")
    above = sum(row.own >= arguments.below for row in found)
    print(f"{above} of {len(found)} modules: {arguments.below:.0%} or more by their own tests")


if __name__ == "__main__":
    main()

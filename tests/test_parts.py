"""All tests: what ran side by side is added up, what did not run to its end is not forgotten."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.parts import FEW, LONG, TIMES, Outcome, again, names, outcome, outcomes, part, told

HERE = Path(__file__).resolve().parent
NOTHING = (0.0, 0.0)


def printed(summary: str, ran: int = 9) -> str:
    """What trial prints at the end."""
    return f"tests.test_x\n\nRan {ran} tests in 0.123s\n\n{summary}\n"


class NamesTests(SynchronousTestCase):
    """Every module is run, once."""

    def test_all(self) -> None:
        """None is missing, none is in two parts, and what takes longest comes first."""
        found = names()
        self.assertEqual(len(found), len(set(found)))
        for module in HERE.rglob("test_*.py"):
            name = ".".join(module.relative_to(HERE.parent).with_suffix("").parts)
            holding = [one for one in found if f"{name}.".startswith(f"{one}.")]
            self.assertEqual(holding, [part(module)])
        long = [line for line in LONG.read_text().splitlines() if line.startswith("tests.")]
        self.assertEqual(found[: len(long)], long)


class OutcomeTests(SynchronousTestCase):
    """What trial said of one part."""

    def counts(self, text: str, status: int = 0) -> dict[str, int]:
        """The tests by how they ended."""
        return dict(outcome("tests.test_x", text, status, NOTHING).counts)

    def test_passed(self) -> None:
        """As the summary says."""
        self.assertEqual(
            self.counts(printed("PASSED (skips=1, successes=8)")), {"skips": 1, "successes": 8}
        )

    def test_not_to_its_end(self) -> None:
        """A part that crashed, was killed after its summary, or ran nothing is an error."""
        self.assertEqual(self.counts("tests.test_x\n", 139), {"errors": 1})
        passed = printed("PASSED (successes=9)")
        self.assertEqual(self.counts(passed, -9), {"errors": 1, "successes": 9})
        self.assertEqual(self.counts(printed("PASSED", ran=0)), {"errors": 1})

    def test_sum(self) -> None:
        """Trial's words for all of them, and a verdict that one failure is enough for."""
        good = outcome("tests.test_x", printed("PASSED (successes=9)"), 0, NOTHING)
        bad = outcome("tests.test_y", printed("FAILED (failures=1, successes=8)"), 1, NOTHING)
        self.assertTrue(told([good], 2.0).endswith("Ran 9 tests in 2.000s\n\nPASSED (successes=9)"))
        both = told([good, bad], 2.0)
        self.assertTrue(both.endswith("18 tests in 2.000s\n\nFAILED (failures=1, successes=17)"))


class RunTests(SynchronousTestCase):
    """Trials side by side."""

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        self.addCleanup(os.environ.pop, "PYTHONPATH")

    def run_parts(self, *bodies: str, limit: float = 60) -> dict[str, Outcome]:
        """Modules whose one test has the given body."""
        for number, body in enumerate(bodies):
            Path(f"test_part{number}.py").write_text(
                "import os, time, unittest\n\nclass Tests(unittest.TestCase):\n"
                f"    def test_it(self) -> None:\n        {body}\n"
            )
        parts = [f"test_part{number}" for number in range(len(bodies))]
        return {one.name: one for one in outcomes(parts, 2, [], limit)}

    def test_each(self) -> None:
        """Each has what it printed, how it ended and the processor's time that it took."""
        ended = self.run_parts("pass", "self.assertEqual(1, 2)")
        self.assertEqual(ended["test_part0"].counts, Counter(successes=1))
        self.assertEqual(ended["test_part1"].counts, Counter(failures=1))
        self.assertIn("1 != 2", ended["test_part1"].printed)
        self.assertGreater(ended["test_part0"].seconds[1], 0)

    def test_hangs(self) -> None:
        """A part that does not end is ended, and said to have failed."""
        began = time.monotonic()
        ended = self.run_parts("time.sleep(60)", limit=3)
        self.assertEqual(ended["test_part0"].counts, Counter(errors=1))
        self.assertIn("did not run to its end", ended["test_part0"].printed)
        self.assertLess(time.monotonic() - began, 50)

    def run_again(self, *bodies: str) -> tuple[list[str], Counter[str]]:
        """The tests that failed beside others and pass alone, and the sum then."""
        ended = list(self.run_parts(*bodies).values())
        alone = again(ended, [], 60)
        return alone, +sum((one.counts for one in ended), Counter[str]())

    def test_again(self) -> None:
        """A test that failed and then passes alone, each time, has passed, and is named."""
        alone, counts = self.run_again(unlucky(1), "pass")
        self.assertEqual(alone, ["test_part0.Tests.test_it"])
        self.assertEqual(counts, Counter(successes=2))
        self.assertEqual(Path("test_part0.py.runs").read_text(), "x" * (1 + TIMES))

    def test_fails_again(self) -> None:
        """A test that fails once more of several times, or always, has failed."""
        alone, counts = self.run_again(unlucky(1, 3), "self.assertEqual(1, 2)", "1 / 0")
        self.assertEqual(alone, [])
        self.assertEqual(counts, Counter(failures=2, errors=1))

    def test_many(self) -> None:
        """Where many fail it is no luck: none is run again."""
        alone, counts = self.run_again(*(unlucky(1) for _ in range(FEW + 1)))
        self.assertEqual((alone, counts), ([], Counter(failures=FEW + 1)))

    def test_no_end(self) -> None:
        """Where a part did not run to its end, nothing is run again: who failed is not known."""
        alone, counts = self.run_again("os._exit(3)", unlucky(1))
        self.assertEqual((alone, counts), ([], Counter(failures=1, errors=1)))


def unlucky(*runs: int) -> str:
    """A test that fails the first time, the third time: whichever of its runs are given."""
    return (
        "open(__file__ + '.runs', 'a').write('x'); "
        f"self.assertNotIn(os.path.getsize(__file__ + '.runs'), {runs})"
    )

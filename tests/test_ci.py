"""C{.ci/count}: a green run means that everything ran and passed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

COUNT = Path(__file__).resolve().parent.parent / ".ci" / "count"

RULER = "=" * 79
LINE = "-" * 79


def log(summary: str, *skipped: str) -> str:
    """What trial prints, cut down to what is counted."""
    blocks = "".join(f"{RULER}\n[SKIPPED]\nno such thing here\n\n{name}\n" for name in skipped)
    return f"tests.test_x\n  XTests\n    test_x ...\n\n{blocks}{LINE}\nRan 9 tests\n\n{summary}\n"


class CountTests(SynchronousTestCase):
    """The last line and the exit status that others go by."""

    def count(
        self, text: str, test: int = 0, more: tuple[tuple[str, int], ...] = (), **stages: int
    ) -> tuple[str, int]:
        """The last line, and the exit status."""
        arguments: list[str] = []
        for log_text, status in ((text, test), *more):
            path = Path(self.mktemp())
            path.write_text(log_text)
            arguments += ("--test", str(path), str(status))
        for stage, status in stages.items():
            arguments += ("--stage", stage, str(status))
        done = subprocess.run((sys.executable, COUNT, *arguments), capture_output=True, text=True)
        return done.stdout.splitlines()[-1], done.returncode

    def test_passed(self) -> None:
        """All is well."""
        self.assertEqual(self.count(log("PASSED (successes=9)")), ("9 passed, 0 failed", 0))

    def test_failures_and_errors(self) -> None:
        """Both count, and so does a test that ought not to have passed."""
        summary = "FAILED (failures=2, errors=1, unexpectedSuccesses=1, successes=5)"
        self.assertEqual(self.count(log(summary), test=1), ("5 passed, 4 failed", 1))

    def test_unit_tests_may_skip(self) -> None:
        """A unit test that was skipped is neither."""
        text = log("PASSED (skips=1, successes=8)", "tests.policy.test_load.LoadTests.test_x")
        self.assertEqual(self.count(text), ("8 passed, 0 failed", 0))

    def test_end_to_end_tests_may_not(self) -> None:
        """A machine that can't run the end-to-end tests fails."""
        names = ("tests.netns.test_relay.RelayTests.test_x", "tests.kernel.test_a.ATests.test_y")
        self.assertEqual(
            self.count(log("PASSED (skips=2, successes=7)", *names)), ("7 passed, 2 failed", 1)
        )

    def test_stages(self) -> None:
        """The linters, the package, other people's tests: each that failed counts as one."""
        text = log("PASSED (successes=9)")
        self.assertEqual(self.count(text, check=0, deb=0), ("9 passed, 0 failed", 0))
        self.assertEqual(self.count(text, check=2, deb=124), ("9 passed, 2 failed", 1))

    def test_parts(self) -> None:
        """Tests that ran in several parts are added up, and none of them may have crashed."""
        text = log("PASSED (successes=9)")
        more = ((log("FAILED (failures=1, successes=5)"), 1), (text, 0))
        self.assertEqual(self.count(text, more=more), ("23 passed, 1 failed", 1))
        self.assertEqual(
            self.count(text, more=(("tests.test_x\n", 124),)), ("9 passed, 1 failed", 1)
        )

    def test_crash(self) -> None:
        """A run that came to no summary, was killed after one, or ran nothing has failed."""
        self.assertEqual(self.count("tests.test_x\n", test=137), ("0 passed, 1 failed", 1))
        text = log("PASSED (successes=9)")
        self.assertEqual(self.count(text, test=124), ("9 passed, 1 failed", 1))
        self.assertEqual(self.count(log("PASSED")), ("0 passed, 1 failed", 1))

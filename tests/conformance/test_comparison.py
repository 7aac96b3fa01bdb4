"""What differs between a direct run and one through the gateway, and the list that judges it."""

from __future__ import annotations

import fnmatch

from twisted.trial.unittest import SynchronousTestCase

from conformance.comparison import (
    ANY,
    NOT_RUN,
    Difference,
    Known,
    differences,
    known_differences,
    left_out,
    unknown,
    without,
)
from conformance.driven import SEVERITY
from conformance.suites import SUITES


class DifferencesTests(SynchronousTestCase):
    """What counts as a difference."""

    def test_same(self) -> None:
        """Tests that end alike are no difference, even if they fail on both sides."""
        outcomes = {"a": "passed", "b": "failed", "c": "skipped"}
        self.assertEqual(differences(outcomes, dict(outcomes)), ())

    def test_worse_and_better(self) -> None:
        """Failing only through the gateway is one, and so is passing only there."""
        found = differences({"a": "passed", "b": "failed"}, {"a": "failed", "b": "passed"})
        self.assertEqual(
            found, (Difference("a", "passed", "failed"), Difference("b", "failed", "passed"))
        )

    def test_not_run(self) -> None:
        """A test that a hang or a crash kept from running does not pass unnoticed."""
        self.assertEqual(differences({"a": "passed"}, {}), (Difference("a", "passed", NOT_RUN),))


def failing(test: str) -> Difference:
    """It passes directly."""
    return Difference(test, "passed", "failed")


class KnownTests(SynchronousTestCase):
    """What the list of known differences covers."""

    def test_other_outcome(self) -> None:
        """A test that is expected to fail may not hang, and one to be skipped may not fail."""
        entry = Known("ftp", "a", "why")
        self.assertTrue(entry.covers("ftp", "ftp", Difference("a", "passed", "failed: so")))
        for outcome in ("skipped", "passed", NOT_RUN):
            self.assertFalse(entry.covers("ftp", "ftp", Difference("a", "failed", outcome)))
        entry = Known("ftp", "a", "why", outcome="skipped")
        self.assertTrue(entry.covers("ftp", "ftp", Difference("a", "passed", "skipped")))
        self.assertFalse(entry.covers("ftp", "ftp", failing("a")))

    def test_other_suite(self) -> None:
        """An entry speaks of its own suite only."""
        entry = Known("ftp", "test_*", "why")
        self.assertTrue(entry.covers("ftp", "relay", failing("test_a")))
        self.assertFalse(entry.covers("http", "relay", failing("test_a")))

    def test_other_inspector(self) -> None:
        """An entry may speak of one inspector; without a word about it, it speaks of all."""
        entry = Known("ftp", "*", "why", "ftp")
        self.assertTrue(entry.covers("ftp", "ftp", failing("test_a")))
        self.assertFalse(entry.covers("ftp", "relay", failing("test_a")))

    def test_several_suites(self) -> None:
        """An entry may speak of all suites of one origin."""
        entry = Known("twisted-*", "*", "why")
        self.assertTrue(entry.covers("twisted-http", "relay", failing("test_a")))
        self.assertFalse(entry.covers("cpython-http", "relay", failing("test_a")))

    def test_several_tests(self) -> None:
        """An entry may list several tests that differ for one reason."""
        entry = Known("curl", ["1", "2*"], "why")
        self.assertTrue(entry.covers("curl", "http", failing("1")))
        self.assertTrue(entry.covers("curl", "http", failing("20")))
        self.assertFalse(entry.covers("curl", "http", failing("10")))

    def test_brackets(self) -> None:
        """The brackets of pytest's parameters stand for themselves."""
        entry = Known("http", "test_a[one]", "why")
        self.assertTrue(entry.covers("http", "relay", failing("test_a[one]")))
        self.assertFalse(entry.covers("http", "relay", failing("test_ao")))

    def test_not_run(self) -> None:
        """What is not run through an inspector is no difference there."""
        entries = (Known("s", "tls[*]", "why", "http", run=False), Known("s", "a", "why", "http"))
        patterns = left_out(entries, "s", "http")
        self.assertEqual(without({"tls[1]": "passed", "a": "passed"}, patterns), {"a": "passed"})
        self.assertEqual(left_out(entries, "s", "relay"), ())
        self.assertEqual(left_out(entries, "t", "http"), ())

    def test_unknown(self) -> None:
        """What no entry covers is left."""
        found = (Difference("a", "passed", "failed"), Difference("b", "passed", "failed"))
        self.assertEqual(unknown(found, [Known("s", "a", "why")], "s", "relay"), found[1:])

    def test_the_list(self) -> None:
        """Every entry has a reason, and names a suite that goes through its inspector."""
        suites = {suite.name: {*suite.inspectors, ANY} for suite in SUITES}
        for entry in known_differences():
            named = fnmatch.filter(suites, entry.suite)
            self.assertTrue([name for name in named if entry.inspector in suites[name]], entry)
            self.assertTrue(entry.reason)
            self.assertIn(entry.outcome, SEVERITY)

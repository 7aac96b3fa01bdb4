"""What the recorders of trial and of unittest have in common."""

# mypy: ignore-errors

import json
import os
import unittest
from fnmatch import fnmatchcase
from pathlib import Path

import shared  # noqa: F401


class Noting:
    """Writes one line a test, at once: what a time limit cuts off is not lost. Of a result."""

    def note(self, test, outcome):
        with Path(os.environ["CONFORMANCE_RECORD"]).open("a") as record:
            record.write(json.dumps([test.id(), outcome]) + "\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "passed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test, error, *reason):
        super().addExpectedFailure(test, error, *reason)
        self.note(test, "skipped")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note(test, "failed")

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "failed")


def chosen(suite):
    """Those of a suite's tests that are not left out."""
    patterns = json.loads(os.environ["CONFORMANCE_LEFT_OUT"])
    for test in suite:
        if isinstance(test, unittest.BaseTestSuite):
            yield from chosen(test)
        elif not any(fnmatchcase(test.id(), pattern) for pattern in patterns):
            yield test

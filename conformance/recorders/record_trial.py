"""Runs the trial modules or tests that it is given, and notes how each test ended."""

# mypy: ignore-errors

import json
import os
import sys
import unittest
from fnmatch import fnmatchcase
from pathlib import Path

from twisted.trial import reporter, runner, util


class Recorder(reporter.VerboseTextReporter):
    """Writes one line a test, at once: what a time limit cuts off is not lost."""

    def note(self, test, outcome):
        with Path(os.environ["CONFORMANCE_RECORD"]).open("a") as record:
            record.write(json.dumps([test.id(), outcome]) + "\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "passed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test, error, reason=None):
        super().addExpectedFailure(test, error, reason)
        self.note(test, "skipped")

    def addFailure(self, test, failure):
        super().addFailure(test, failure)
        self.note(test, "failed")

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "failed")


def chosen(suite):
    """Those of a suite's tests that are not left out."""
    patterns = json.loads(os.environ["CONFORMANCE_LEFT_OUT"])
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test)
        elif not any(fnmatchcase(test.id(), pattern) for pattern in patterns):
            yield test


if __name__ == "__main__":
    # What hangs is as much of a failure after 10 seconds as after trial's 120.
    util.DEFAULT_TIMEOUT_DURATION = 10.0
    tests = runner.TestLoader().loadByNames(sys.argv[1:], recurse=True)
    tests = runner.TrialSuite(chosen(tests))
    # Suites of one origin run at the same time, in the same folder.
    runner.TrialRunner(Recorder, workingDirectory=f"trial-{os.getpid()}").run(tests)

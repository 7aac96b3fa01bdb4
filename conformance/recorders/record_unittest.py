"""Runs the unittest modules or tests that it is given, and notes how each test ended."""

# mypy: ignore-errors

import json
import os
import sys
import unittest
from pathlib import Path

from test import support


class Recorder(unittest.TextTestResult):
    """Writes one line a test, at once: what a time limit cuts off is not lost."""

    def note(self, test, outcome):
        with Path(os.environ["CONFORMANCE_RECORD"]).open("a") as record:
            record.write(json.dumps([test.id(), outcome]) + "\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "passed")

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.note(test, "skipped")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.note(test, "failed")

    def addError(self, test, error):
        super().addError(test, error)
        self.note(test, "failed")

    def addSubTest(self, test, part, error):
        super().addSubTest(test, part, error)
        if error is not None:
            self.note(test, "failed")


if __name__ == "__main__":
    # As regrtest does by default: no outside network, nothing slow on purpose.
    support.use_resources = []
    tests = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    unittest.TextTestRunner(resultclass=Recorder).run(tests)

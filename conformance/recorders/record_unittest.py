"""Runs the unittest modules or tests that it is given, and notes how each test ended."""

# mypy: ignore-errors

import json
import os
import signal
import sys
import unittest
from fnmatch import fnmatchcase
from pathlib import Path

from test import support

SECONDS = 20


def give_up(*_):
    raise TimeoutError(f"more than {SECONDS} seconds")


class Recorder(unittest.TextTestResult):
    """Writes one line a test, at once: what a time limit cuts off is not lost."""

    def startTest(self, test):
        super().startTest(test)
        signal.alarm(SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

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


def chosen(suite):
    """Those of a suite's tests that are not left out."""
    patterns = json.loads(os.environ["CONFORMANCE_LEFT_OUT"])
    for test in suite:
        if isinstance(test, unittest.BaseTestSuite):
            yield from chosen(test)
        elif not any(fnmatchcase(test.id(), pattern) for pattern in patterns):
            yield test


if __name__ == "__main__":
    # As regrtest does by default: no outside network, nothing slow on purpose.
    support.use_resources = []
    signal.signal(signal.SIGALRM, give_up)
    tests = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    unittest.TextTestRunner(resultclass=Recorder).run(unittest.TestSuite(chosen(tests)))
    # A test that failed may have left a thread that waits for ever.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)

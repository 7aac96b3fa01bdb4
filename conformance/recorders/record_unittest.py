"""Runs the unittest modules or tests that it is given, and notes how each test ended."""

# mypy: ignore-errors

import os
import signal
import sys
import unittest

from noting import Noting, chosen
from test import support

SECONDS = 20


def give_up(*_):
    raise TimeoutError(f"more than {SECONDS} seconds")


class Recorder(Noting, unittest.TextTestResult):
    """Gives up a test that takes too long."""

    def startTest(self, test):
        super().startTest(test)
        signal.alarm(SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def addSubTest(self, test, part, error):
        super().addSubTest(test, part, error)
        if error is not None:
            self.note(test, "failed")


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

"""Runs the trial modules or tests that it is given, and notes how each test ended."""

# mypy: ignore-errors

import os
import sys

from noting import Noting, chosen
from twisted.trial import reporter, runner, util


class Recorder(Noting, reporter.VerboseTextReporter):
    """With the names of the tests, as they run."""


if __name__ == "__main__":
    # What hangs is as much of a failure after 10 seconds as after trial's 120.
    util.DEFAULT_TIMEOUT_DURATION = 10.0
    tests = runner.TestLoader().loadByNames(sys.argv[1:], recurse=True)
    tests = runner.TrialSuite(chosen(tests))
    # Suites of one origin run at the same time, in the same folder.
    runner.TrialRunner(Recorder, workingDirectory=f"trial-{os.getpid()}").run(tests)

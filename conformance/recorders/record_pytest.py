"""A pytest plugin that notes how each test ended. It runs in the suite's own environment."""

# mypy: ignore-errors

import json
import os
from pathlib import Path


def pytest_runtest_logreport(report):
    """Called by pytest for the set-up, the call and the tear-down of every test."""
    if report.when != "call" and report.outcome == "passed":
        return
    with Path(os.environ["CONFORMANCE_RECORD"]).open("a") as record:
        record.write(json.dumps([report.nodeid, report.outcome]) + "\n")

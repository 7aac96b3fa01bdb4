"""A pytest plugin that notes how each test ended. It runs in the suite's own environment."""

# mypy: ignore-errors

import json
import os
from fnmatch import fnmatchcase
from pathlib import Path

import secured  # noqa: F401
import shared  # noqa: F401


def pytest_collection_modifyitems(config, items):
    """Called by pytest when it has found the tests."""
    patterns = json.loads(os.environ["CONFORMANCE_LEFT_OUT"])
    left_out = [item for item in items if any(fnmatchcase(item.nodeid, one) for one in patterns)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_runtest_logreport(report):
    """Called by pytest for the set-up, the call and the tear-down of every test."""
    if report.when != "call" and report.outcome == "passed":
        return
    with Path(os.environ["CONFORMANCE_RECORD"]).open("a") as record:
        record.write(json.dumps([report.nodeid, report.outcome]) + "\n")

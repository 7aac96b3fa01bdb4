"""What the recorders wrote is read as one outcome for each test."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from conformance.driven import Run, arguments, environment, read
from conformance.origins import Origin
from conformance.suites import Runner, Suite

ORIGIN = Origin("o")


class ReadTests(SynchronousTestCase):
    """Reading a record."""

    def record(self, *lines: tuple[str, str]) -> Path:
        """A record with these lines."""
        file = Path(self.mktemp())
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return file

    def test_tear_down_fails(self) -> None:
        """A test that passed and failed to clean up has failed."""
        file = self.record(("a", "passed"), ("a", "failed"), ("b", "passed"))
        self.assertEqual(read(file), {"a": "failed", "b": "passed"})

    def test_counted(self) -> None:
        """A run is shown as passed, failed, skipped."""
        run = Run({"a": "passed", "b": "passed", "c": "skipped"}, 3, 1.0)
        self.assertEqual(str(run), "2/0/1")


class ArgumentsTests(SynchronousTestCase):
    """What is run."""

    def test_left_out(self) -> None:
        """The recorders are told which tests are left out."""
        suite = Suite("s", ORIGIN, Runner.UNITTEST, ("test.a",))
        told = environment(Path("record"), suite, ["tests/a.py::b"])
        self.assertEqual(json.loads(told["CONFORMANCE_LEFT_OUT"]), ["tests/a.py::b"])

    def test_shared(self) -> None:
        """Servers share their addresses if the suite says so, and only then."""
        for shared in (True, False):
            suite = Suite("s", ORIGIN, Runner.UNITTEST, ("test.a",), shared=shared)
            told = environment(Path("record"), suite, [])
            self.assertIs(bool(told["CONFORMANCE_SHARED"]), shared)

    def test_secured(self) -> None:
        """Servers speak TLS if the suite says so, and only then."""
        for secured in (True, False):
            suite = Suite("s", ORIGIN, Runner.UNITTEST, ("test.a",), secured=secured)
            told = environment(Path("record"), suite, [])
            self.assertIs(bool(told["CONFORMANCE_SECURED"]), secured)

    def test_some(self) -> None:
        """Only the tests asked for are run."""
        suite = Suite("s", ORIGIN, Runner.UNITTEST, ("test.a",))
        self.assertEqual(arguments(suite, ["test.a.B.c"])[1:], ["test.a.B.c"])

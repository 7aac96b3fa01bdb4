"""Which suites are driven through which inspectors, and what the table says of them."""

from __future__ import annotations

import tomllib
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from conformance.__main__ import named, tasks
from conformance.comparison import Difference
from conformance.driven import Run
from conformance.loopback import DATAGRAMS, SERVICES
from conformance.suites import SUITES
from conformance.verdict import Verdict, table


class TasksTests(SynchronousTestCase):
    """What the arguments ask for."""

    def test_everything(self) -> None:
        """Without arguments, every suite goes through each of its inspectors."""
        self.assertEqual(
            [(task.suite, task.inspectors) for task in tasks([], None)],
            [(suite, suite.inspectors) for suite in SUITES],
        )

    def test_one_inspector(self) -> None:
        """An inspector alone takes the suites that list it, and no other inspector."""
        chosen = tasks([], "relay")
        self.assertTrue(chosen)
        for task in chosen:
            self.assertIn("relay", task.suite.inspectors)
            self.assertEqual(task.inspectors, ("relay",))

    def test_new_inspector(self) -> None:
        """A suite that is named is driven through an inspector that it does not list."""
        (task,) = tasks([named("pyftpdlib")], "http")
        self.assertEqual((task.suite.name, task.inspectors), ("pyftpdlib", ("http",)))

    def test_datagrams(self) -> None:
        """What is counted by UDP is what services take by UDP: else all of it went past."""
        services = {file.stem: tomllib.loads(file.read_text()) for file in SERVICES.glob("*.toml")}
        taken = {
            name
            for name, service in services.items()
            if any("udp" in rule.get("protocol", "tcp") for rule in service["rule"])
        }
        self.assertEqual(taken, DATAGRAMS)

    def test_services(self) -> None:
        """Every inspector that a suite lists has a service."""
        listed = {inspector for suite in SUITES for inspector in suite.inspectors}
        self.assertLessEqual(listed, {service.stem for service in SERVICES.glob("*.toml")})


class VerdictTests(SynchronousTestCase):
    """When a run is good."""

    def verdict(self, *unknown: Difference, connections: int = 2, cut_off: bool = False) -> Verdict:
        """A run with two sessions and four tests: one differs, and one is not run."""
        outcomes = {"a": "passed", "b": "passed", "c": "skipped"}
        direct = Run({**outcomes, "d": "passed"}, 2, 1.0)
        sessions = Counter({"closed": 2})
        through = Run({**outcomes, "b": "failed"}, connections, 2.0, sessions, cut_off)
        return Verdict("s", "relay", direct, through, 1, 1, 1 - len(unknown), unknown)

    def test_good(self) -> None:
        """A difference that is listed is none."""
        verdict = self.verdict()
        self.assertTrue(verdict.good)
        self.assertEqual(list(verdict.complaints()), [])

    def test_bad(self) -> None:
        """What is not listed, went past, or did not end is told, and the run is not good."""
        for verdict in (
            self.verdict(Difference("b", "passed", "failed")),
            self.verdict(connections=3),
            self.verdict(cut_off=True),
        ):
            self.assertFalse(verdict.good)
            self.assertEqual(len(list(verdict.complaints())), 1)

    def test_table(self) -> None:
        """One line a run, with as many cells as the head has."""
        head, _, line = table([self.verdict()]).splitlines()
        self.assertEqual(head.count("|"), line.count("|"))
        self.assertIn("| 3/0/1 | 1/1/1 | 2 | 2 | 1 | 2 | 1 | 0 | 0 | 1/2 |", line)

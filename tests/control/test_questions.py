"""What can be asked, by whom, and that there is always an answer."""

from __future__ import annotations

from pathlib import Path

from gateway.policy.load import load
from gateway.registry import find
from gateway.session.session import Session
from tests.control.case import READER, ROOT, ControlCase

WEB = """inspector = "http"
[[rule]]
ports = [80]

[[http.request]]
method = ["GET"]
action = "allow"
[[http.request]]
action = "deny"
"""
BANK = """action = "forward"
[[rule]]
ports = [443]
"""


class QuestionsTests(ControlCase):
    """Whoever asks."""

    def test_unknown(self) -> None:
        """What is no question is answered all the same."""
        for asked in ({}, {"ask": "nonsense"}, {"ask": ["status"]}, {"ask": None}):
            answered = self.questions.ask(asked, ROOT)
            self.assertProblem("does not know that question", self.successResultOf(answered))

    def test_readers(self) -> None:
        """Who may look may not change anything."""
        self.comes()
        for what in ("status", "sessions"):
            self.assertNotIn("problem", self.ask(what, READER))
        self.assertProblem("alice (uid 1000) may look", self.ask("kill", READER, all=True))
        self.assertEqual(len(self.world.register.running), 1)

    def test_bug(self) -> None:
        """A bug in an answer is logged, and answered."""
        self.world.metrics.divert_installed = lambda: 1 / 0
        self.assertProblem("a bug; the traceback is in", self.ask("status"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class StatusTests(ControlCase):
    """C{status}"""

    def test_counts(self) -> None:
        """What runs, and what there was, by service."""
        self.comes(port=1)
        self.comes(port=2).resets()
        self.world.settle()
        answer = self.ask("status")
        self.assertEqual(answer["state"], "running")
        self.assertEqual(answer["sessions"]["running"], 1)
        self.assertEqual(answer["services"]["web"]["ended"], {"reset": 1})
        self.assertEqual(answer["policy"]["services"], 1)
        self.assertEqual([each["pid"] for each in answer["workers"]], [4711])

    def test_workers(self) -> None:
        """Several workers are one gateway."""
        self.comes(port=1)
        answer = self.ask("status")
        merged = self.questions.merge({"ask": "status"}, [answer, answer, answer])
        self.assertEqual(merged["sessions"]["running"], 3)
        self.assertEqual(merged["services"]["web"]["running"], 3)
        self.assertEqual(len(merged["workers"]), 3)
        self.assertEqual(merged["sessions"]["most"], answer["sessions"]["most"])


class ExplainTests(ControlCase):
    """C{explain}"""

    def test_rows(self) -> None:
        """What would happen, by the policy in force."""
        answer = self.ask("explain", **{"from": "192.0.2.1", "to": "198.51.100.2:80"})
        rows = {heading: words for heading, words in answer["rows"] if heading}
        self.assertEqual(rows["from"], "192.0.2.1 is in no zone")
        self.assertIn("inspector: web", rows["gateway"])

    def test_mistakes(self) -> None:
        """What can't be a connection is said."""
        for more, words in (
            ({"from": "192.0.2.1"}, "to: "),
            ({"from": "192.0.2.1", "to": "198.51.100.2"}, "the server lacks a port"),
            ({"from": "192.0.2.1", "to": "[2001:db8::1]:80"}, "must both be IPv4"),
            ({"from": "x", "to": "198.51.100.2:80"}, "from: "),
            ({"from": "192.0.2.1", "to": "198.51.100.2:80", "protocol": "ipx"}, "none of tcp"),
        ):
            self.assertProblem(words, self.ask("explain", **more))


class RulesTests(ControlCase):
    """C{rules}"""

    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        (folder / "gateway.toml").write_text("")
        (folder / "services" / "web.toml").write_text(WEB)
        (folder / "services" / "bank.toml").write_text(BANK)
        self.policy = load(folder, find)

    def test_counts(self) -> None:
        """Each rule with its sessions, each test with its hits, also those without any."""
        web, test = ("web", "services/web.toml:2"), ("web", "services/web.toml:5")
        self.world.metrics.hits.update({web: 3, test: 1, ("web", "protocol"): 2})
        answer = self.ask("rules")
        rules = {rule["place"]: (rule["action"], rule["sessions"]) for rule in answer["rules"]}
        self.assertEqual(
            rules,
            {"services/web.toml:2": ("inspect", 3), "services/bank.toml:2": ("forward", None)},
        )
        tests = {each["place"]: each["hits"] for each in answer["tests"]}
        self.assertEqual(tests, {"services/web.toml:5": 1, "services/web.toml:8": 0, "protocol": 2})

    def test_workers(self) -> None:
        """What several workers have counted is added up."""
        self.world.metrics.hits["web", "services/web.toml:2"] = 3
        answer = self.ask("rules")
        merged = self.questions.merge({"ask": "rules"}, [answer, answer])
        self.assertEqual([each["sessions"] for each in merged["rules"]], [None, 6])
        self.assertEqual(len(merged["tests"]), len(answer["tests"]))


class KillTests(ControlCase):
    """C{kill}"""

    def test_one(self) -> None:
        """Both sides get a reset, and the record says who did it, and why."""
        client, other = self.comes(port=1), self.comes(port=2)
        number = min(self.world.register.running)
        answer = self.ask("kill", id=number, why="abuse,\x1b[2J ticket 7")
        self.assertEqual(answer, {"killed": 1, "ids": [number]})
        self.assertTrue(client.was_reset and self.servers[0].was_reset)
        self.assertFalse(other.was_reset)
        (flow,) = self.world.flows
        self.assertEqual(flow.verdict.outcome.value, "closed")
        self.assertEqual(flow.verdict.reason, "killed by root (uid 0): abuse,\\x1b[2J ticket 7")

    def test_filter(self) -> None:
        """All that match, and no other."""
        for port in range(1, 121):
            self.comes("192.0.2.1", port)
        self.comes("192.0.2.2", 1)
        self.assertEqual(self.ask("kill", client="192.0.2.1")["killed"], 120)
        (left,) = self.listed()
        self.assertEqual(left["client"]["ip"], "192.0.2.2")

    def test_no_filter(self) -> None:
        """Nobody ends everything by leaving something out."""
        self.comes()
        self.assertProblem("which ones?", self.ask("kill"))
        self.assertProblem("which ones?", self.ask("kill", all=True, service="web"))
        self.assertProblem("no such key", self.ask("kill", clinet="192.0.2.1"))
        self.assertEqual(len(self.world.register.running), 1)
        self.assertEqual(self.ask("kill", all=True)["killed"], 1)

    def test_announced(self) -> None:
        """The connections that a session has announced end with it."""
        self.comes(port=1)
        self.comes(port=2)
        (control, data) = self.world.register.running.values()
        assert isinstance(data, Session)
        data.identity = data.identity._replace(parent=control.identity.id)
        self.assertEqual([row["id"] for row in self.listed(parent=control.identity.id)], [data.id])
        self.assertEqual(self.ask("kill", id=control.identity.id)["killed"], 2)

    def test_leaving(self) -> None:
        """A session whose verdict is known keeps it: its last words are cut off, no more."""
        client = self.comes()
        (session,) = self.world.register.running.values()
        assert isinstance(session, Session)
        client.slow(0)
        session.deny("not allowed", b"go away")
        self.assertEqual(self.ask("kill", all=True)["killed"], 1)
        (flow,) = self.world.flows
        self.assertEqual(flow.verdict.reason, "not allowed")
        self.assertTrue(client.was_reset)

    def test_gone(self) -> None:
        """One that is not there is no mistake."""
        self.assertEqual(self.ask("kill", id=5), {"killed": 0, "ids": []})


class ShowTests(ControlCase):
    """C{show}"""

    def test_story(self) -> None:
        """Rule and why it won, both legs, limits, and what each side waits for."""
        client = self.comes()
        client.says(b"x" * 100)
        (number,) = self.world.register.running
        told = self.ask("show", id=number)["session"]
        self.assertEqual(told["rule"]["because"], ["no other rule matches"])
        self.assertEqual(told["legs"]["server"]["peer"], {"ip": "198.51.100.2", "port": 7})
        self.assertEqual(told["legs"]["server"]["own"], {"ip": "192.0.2.1", "port": 50001})
        self.assertEqual(told["legs"]["client"]["received"], 100)
        self.assertEqual(told["rate"]["to_server"], 400.0)
        self.assertEqual(told["upstream"]["port_kept"], True)
        self.assertIn("idle_seconds", [each["name"] for each in told["limits"]])
        self.assertEqual(told["legs"]["client"]["waits_for"], ["the client, to say something"])

    def test_waits(self) -> None:
        """A side that is not read says for what it waits."""
        self.world.network.asked = lambda attempt: None
        self.comes()
        (number,) = self.world.register.running
        told = self.ask("show", id=number)["session"]
        self.assertEqual(told["state"], "connecting")
        self.assertEqual(told["legs"]["client"]["waits_for"], ["the server, to be reached"])
        self.assertEqual(told["legs"]["server"]["peer"], None)
        self.assertIn("connect_seconds", [each["name"] for each in told["limits"]])

    def test_gone(self) -> None:
        """One that has ended is not there."""
        self.assertEqual(self.ask("show", id=5), {"session": None})
        self.assertProblem("id: not a session's number", self.ask("show"))
        client = self.comes()
        (number,) = self.world.register.running
        answered = self.questions.ask({"ask": "show", "id": number}, ROOT)
        client.resets()
        self.world.pass_time(1)
        self.assertEqual(self.successResultOf(answered), {"session": None})

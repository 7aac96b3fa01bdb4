"""C{follow}: the audit's records, as they are written."""

from __future__ import annotations

import json
from typing import Any

from gateway.control.following import MOST, MOST_AND_OPERATORS, MOST_AND_OWN, Following
from gateway.control.question import Misasked
from tests.control.case import ControlCase

HTTP = {
    "event_type": "http",
    "flow_id": 7,
    "src_ip": "10.1.2.3",
    "dest_ip": "198.51.100.7",
    "gateway": {"service": "web", "denied_by": "services/web.toml:12"},
}
FLOW = {
    "event_type": "flow",
    "flow_id": 8,
    "parent_id": 7,
    "src_ip": "10.1.2.4",
    "dest_ip": "2001:db8::1",
    "gateway": {"service": "ftp", "verdict": "reset"},
}
REFUSED = {"event_type": "audit", "audit": {"refused": 5}, "gateway": {"service": "web"}}


class Listener:
    """Somebody who follows."""

    def __init__(self) -> None:
        self.ready = True
        self.heard: list[Any] = []

    def told(self, line: bytes) -> None:
        self.heard.append(json.loads(line)["event_type"])

    def missed(self, count: int) -> None:
        self.heard.append(count)


class FollowTests(ControlCase):
    """Who follows."""

    def setUp(self) -> None:
        super().setUp()
        self.listener = Listener()

    def follow(self, **filters: Any) -> Following:
        return self.questions.follow({"ask": "follow", **filters}, self.listener)

    def write(self, *records: dict[str, Any]) -> None:
        assert self.tape.tell is not None
        for record in records:
            self.tape.tell(json.dumps(record, separators=(",", ":")).encode() + b"\n")

    def test_unread(self) -> None:
        """Who follows one session, or what is denied, costs nearly nothing: others are not read."""
        assert self.tape.tell is None
        for filters in ({"id": 7}, {"denied": True}):
            following = self.follow(**filters)
            self.tape.tell(b"{no record, and nobody minds")
            self.write(HTTP)
            following.stop()
        self.assertEqual(self.listener.heard, ["http", "http"])

    def test_filters(self) -> None:
        """What does not match is not told."""
        for filters, expected in (
            ({}, ["http", "flow", "audit"]),
            ({"type": "http"}, ["http"]),
            ({"type": ["http", "flow"]}, ["http", "flow"]),
            ({"service": "web"}, ["http", "audit"]),
            ({"verdict": "reset"}, ["flow"]),
            ({"client": "10.1.2.0/24"}, ["http", "flow"]),
            ({"server": "2001:db8::/32"}, ["flow"]),
            ({"id": 7}, ["http", "flow"]),
            ({"denied": True}, ["http", "audit"]),
            ({"denied": True, "type": "http"}, ["http"]),
        ):
            following = self.follow(**filters)
            self.write(HTTP, FLOW, REFUSED)
            following.stop()
            self.assertEqual(self.listener.heard, expected, filters)
            self.listener.heard.clear()

    def test_slow(self) -> None:
        """Who can't take more is told how much he has missed, and delays nobody."""
        self.follow(type="http")
        self.listener.ready = False
        self.write(HTTP, FLOW, HTTP)
        self.assertEqual(self.listener.heard, [])
        self.listener.ready = True
        self.write(HTTP)
        self.assertEqual(self.listener.heard, [2, "http"])

    def test_over(self) -> None:
        """When nobody follows any more, the audit is asked for nothing."""
        first, second = self.follow(), self.follow(type="flow")
        first.stop()
        first.stop()
        self.write(FLOW)
        second.stop()
        self.assertEqual(self.listener.heard, ["flow"])
        self.assertIsNone(self.tape.tell)

    def test_bug(self) -> None:
        """A follower that fails is dropped; the others go on."""
        self.follow().tell = lambda *_: 1 / 0  # type: ignore[method-assign]
        self.follow()
        self.write(FLOW, FLOW)
        self.assertEqual(self.listener.heard, ["flow", "flow"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_mistakes(self) -> None:
        """A filter that can't be read is said; so is one follower too many."""
        for filters in ({"typ": "http"}, {"type": 5}, {"client": "x"}, {"id": "7"}, {"denied": 1}):
            self.assertRaises(Misasked, self.follow, **filters)
        for _ in range(MOST):
            self.follow()
        self.assertRaises(Misasked, self.follow)

    def test_room(self) -> None:
        """Readers, however many follow, keep no operator out, and nobody the console."""
        for most in (MOST, MOST_AND_OPERATORS, MOST_AND_OWN):
            with self.assertRaises(Misasked):
                for _ in range(MOST_AND_OWN + 1):
                    self.questions.follow({"ask": "follow"}, self.listener, most)
        self.write(FLOW)
        self.assertEqual(len(self.listener.heard), MOST_AND_OWN)

    def test_mad_worker(self) -> None:
        """What is no record is told to those who want everything, and ends nobody's following."""
        self.follow(denied=True)
        self.follow(service="web")
        assert self.tape.tell is not None
        for line in (b'"denied" {', b'["denied"]', b"[" * 5000 + b'"denied"', b'{"x":"denied"}'):
            self.tape.tell(line + b"\n")
        self.write({"gateway": 5, "x": '"denied"'}, {"gateway": {}, "audit": 5, "x": "refused"})
        self.write(HTTP)
        self.assertEqual(self.listener.heard, ["http", "http"])

"""Audit records are what a log pipeline expects of Suricata's EVE."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Address, Outcome, Verdict
from gateway.observe.identity import Identity, Upstream
from gateway.observe.record import Records
from gateway.policy.connection import Protocol
from gateway.policy.rule import Rule
from tests.observe.sessions import CLIENT, NOON, PASSED, SERVER, UPSTREAM, identity

text = st.text(st.characters()) | st.sampled_from(
    ["\x7f", "\x9b31m", "\x1b]0;x\x07", "\ud800", "\n"]
)


class FlowTests(SynchronousTestCase):
    """The one record of a session."""

    def flow(self, verdict: Verdict = PASSED, upstream: Upstream | None = UPSTREAM) -> Any:
        line = Records().flow(identity(), verdict, NOON, NOON + 2.5, 123, 4567, upstream)
        return json.loads(line)

    def test_complete(self) -> None:
        """It holds the addresses, the traffic, the rule, the verdict and the way to the server."""
        self.assertEqual(
            self.flow(),
            {
                "timestamp": "2025-11-23T12:00:02.500000+0000",
                "flow_id": 1,
                "event_type": "flow",
                "src_ip": "10.1.2.3",
                "src_port": 40123,
                "dest_ip": "198.51.100.7",
                "dest_port": 80,
                "proto": "TCP",
                "flow": {
                    "bytes_toserver": 123,
                    "bytes_toclient": 4567,
                    "start": "2025-11-23T12:00:00.000000+0000",
                    "end": "2025-11-23T12:00:02.500000+0000",
                    "age": 2,
                    "state": "closed",
                    "reason": "passed",
                },
                "gateway": {
                    "service": "web",
                    "rule": "services/web.toml:4",
                    "zones": {"from": ["office", "printers"], "to": ["internet"]},
                    "verdict": "passed",
                    "reason": "",
                    "seconds": 2.5,
                    "upstream": {
                        "ip": "198.51.100.7",
                        "port": 80,
                        "source_ip": "10.1.2.3",
                        "source_port": 40123,
                        "port_kept": True,
                        "attempts": 1,
                        "connect_seconds": 0.0125,
                    },
                },
            },
        )

    def test_never_connected(self) -> None:
        """A session that reached no server has no C{upstream}."""
        gateway = self.flow(Verdict(Outcome.FAILED, "refused"), upstream=None)["gateway"]
        self.assertNotIn("upstream", gateway)
        self.assertEqual((gateway["verdict"], gateway["reason"]), ("failed", "refused"))

    def test_clock_that_was_set_back(self) -> None:
        """A session is not shorter than nothing."""
        record = json.loads(Records().flow(identity(), PASSED, NOON, NOON - 60, 0, 0, None))
        self.assertEqual((record["flow"]["age"], record["gateway"]["seconds"]), (0, 0.0))

    def test_reason_of_a_wrong_type(self) -> None:
        """An inspector that denies with bytes for a reason has its flow record all the same."""
        wrong: Any = b"\xff\x1b[2J"
        self.assertEqual(
            self.flow(Verdict(Outcome.DENIED, wrong))["gateway"]["reason"], "\\xff\x1b[2J"
        )

    def test_every_outcome(self) -> None:
        """Each verdict is told by its word."""
        for outcome in Outcome:
            self.assertEqual(self.flow(Verdict(outcome))["gateway"]["verdict"], outcome.value)

    def test_udp_over_ipv6(self) -> None:
        """Addresses of version 6 and UDP are told as such."""
        who = Identity(2, Address("fd00::1", 53), Address("2001:db8::1", 53), Protocol.UDP, "dns")
        record = json.loads(Records().flow(who, PASSED, NOON, NOON, 1, 1, None))
        self.assertEqual((record["src_ip"], record["proto"]), ("fd00::1", "UDP"))
        self.assertEqual(record["gateway"]["service"], "dns")
        self.assertNotIn("rule", record["gateway"])

    def test_rules_are_not_confused(self) -> None:
        """Equal rules from different places are told apart, and a freed rule leaves no trace."""
        records = Records()
        for number in range(1000):
            name = f"zone{number}"
            who = identity(number, Rule("web", source_names=(name,)))
            line = records.flow(who, PASSED, NOON, NOON, 0, 0, None)
            self.assertEqual(json.loads(line)["gateway"]["zones"]["from"], [name])

    @settings(max_examples=100, deadline=None)
    @given(text)
    def test_any_reason(self, reason: str) -> None:
        """Whatever a reason quotes, the record is one line of printable ASCII."""
        line = Records().flow(identity(), Verdict(Outcome.DENIED, reason), NOON, NOON, 0, 0, None)
        self.assertTrue(line.decode("ascii")[:-1].isprintable())
        self.assertIsInstance(json.loads(line)["gateway"]["reason"], str)


class EventTests(SynchronousTestCase):
    """What an inspector logs."""

    def event(self, event_type: str, fields: Any, gateway: Any = ()) -> Any:
        line = Records().event(NOON, event_type, identity(), fields, dict(gateway))
        return json.loads(line)

    def test_fields_are_an_object_of_its_name(self) -> None:
        """An http event has an http object."""
        record = self.event("http", {"hostname": "example.com", "status": 200})
        self.assertEqual(record["http"], {"hostname": "example.com", "status": 200})
        self.assertEqual((record["event_type"], record["flow_id"]), ("http", 1))
        self.assertEqual(record["gateway"]["rule"], "services/web.toml:4")

    def test_gateway_is_added_to(self) -> None:
        """What the session says beside the inspector stands in C{gateway}."""
        record = self.event("ftp", {}, {"verdict": "denied"})
        self.assertEqual(record["gateway"]["verdict"], "denied")
        self.assertEqual(record["gateway"]["service"], "web")

    def test_prepared(self) -> None:
        """What was prepared as JSON becomes the same record, to the letter."""
        fields = {"hostname": "example.com", "url": '/"\u00e4', "status": 200}
        gateway = {"verdict": "passed", "bytes": 5}
        records = Records()
        members = [json.dumps(each, separators=(",", ":"))[1:-1] for each in (fields, gateway)]
        self.assertEqual(
            records.prepared(NOON, "http", identity(), *members),
            records.event(NOON, "http", identity(), fields, gateway),
        )

    def test_own_names_are_not_given_away(self) -> None:
        """An event can't pass for a flow record or overwrite an address."""
        for name in ("flow", "gateway", "src_ip", "", "a b", 'x"', "http\n"):
            self.assertRaises(ValueError, self.event, name, {})
        self.assertRaises(ValueError, self.event, "http", {}, {"rule": "other"})

    @settings(max_examples=100, deadline=None)
    @given(st.integers(0, 999_999))
    def test_timestamps(self, microseconds: int) -> None:
        """Times are exact to the microsecond."""
        self.assertEqual(
            Records().timestamp(NOON + microseconds / 1_000_000),
            f"2025-11-23T12:00:00.{microseconds:06d}+0000",
        )

    def test_addresses_are_the_sessions(self) -> None:
        """C{src} is the client, C{dest} is where it wanted to go."""
        record = self.event("tls", {})
        self.assertEqual(Address(record["src_ip"], record["src_port"]), CLIENT)
        self.assertEqual(Address(record["dest_ip"], record["dest_port"]), SERVER)

"""Pipelines that read EVE find nothing in our records that its schema does not have."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import Outcome, Verdict
from gateway.observe.eve import EVE, TAKEN, amiss, records_amiss
from gateway.observe.record import Records
from gateway.policy.connection import Protocol
from gateway.testing import FakeSession
from protocols.relay import RelayInspector
from tests.observe.sessions import NOON, PASSED, UPSTREAM, identity


class EveTests(SynchronousTestCase):
    """What is compared with the table, and how."""

    def test_own_records(self) -> None:
        """The records that the gateway itself writes have nothing that EVE does not have."""
        records = Records()
        lines = (
            records.flow(identity(), PASSED, NOON, NOON + 1, 1, 2, UPSTREAM, 3),
            records.flow(identity(), Verdict(Outcome.DENIED, "x"), NOON, NOON, 0, 0, None),
            records.event(NOON, "ftp", identity(), {"command": "PWD"}, {"verdict": "passed"}),
            records.event(NOON, "finger", identity(), {"anything": None}, {}),
            records.dropped(NOON, 3, NOON, NOON),
            records.refused(NOON, "web", Protocol.UDP, "no-rule", 3, (NOON, NOON)),
        )
        self.assertEqual(records_amiss(map(json.loads, lines)), [])

    def test_unknown_field(self) -> None:
        """A field that EVE does not have is named, with its event."""
        self.assertEqual(amiss("ftp", {"command": "X", "x": 1}), ["'ftp' has no field 'x'"])

    def test_kind(self) -> None:
        """A value of another kind is named too: numbers are no booleans, arrays are not empty."""
        for event, fields in (
            ("http", {"status": True}),
            ("http", {"status": "200"}),
            ("smtp", {"rcpt_to": []}),
            ("smtp", {"rcpt_to": [1]}),
            ("smtp", {"helo": None}),
        ):
            self.assertEqual(len(amiss(event, fields)), 1, fields)

    def test_missing_event(self) -> None:
        """An event of EVE's that is not in the table is not passed over."""
        self.assertEqual(len(amiss("modbus", {"version": 3})), 1)
        self.assertLessEqual(set(EVE), TAKEN)

    def test_beside(self) -> None:
        """Nothing stands beside the event's own object but what EVE has there."""
        record = {"event_type": "finger", "finger": {}, "timestamp": "x", "service": "finger"}
        self.assertEqual(records_amiss([record]), ["'finger' has no field 'service'"])

    def test_kit(self) -> None:
        """The author of an inspector is told at once, by every test that sees the record."""
        session = FakeSession(RelayInspector)
        session.record("http", {"mood": "bad"}, status=200)
        with self.assertRaisesRegex(ValueError, "'http' has no field 'mood'"):
            session.record("http", mood="bad")

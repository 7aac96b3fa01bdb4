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

    def test_lacking(self) -> None:
        """A field that EVE wants is missed: of DNS, which of its versions it is."""
        self.assertEqual(amiss("dns", {"version": 3, "type": "request"}), [])
        self.assertEqual(amiss("dns", {"type": "request"}), ["'dns' has no 'version'"])

    def test_mailboxes_and_terminals(self) -> None:
        """POP3's and SSH's objects are as deep as EVE's; IMAP and Telnet are events of our own."""
        client = {"proto_version": "2.0", "software_version": "OpenSSH_9.2p1"}
        request = {"command": "RETR", "args": ["1"]}
        self.assertEqual(amiss("ssh", {"client": client}), [])
        self.assertEqual(amiss("pop3", {"request": request}), [])
        self.assertEqual(len(amiss("ssh", {"client": {**client, "mood": "bad"}})), 1)
        self.assertEqual(len(amiss("pop3", {"request": {**request, "mailbox": "x"}})), 1)
        for event in ("imap", "telnet"):
            self.assertNotIn(event, TAKEN)

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

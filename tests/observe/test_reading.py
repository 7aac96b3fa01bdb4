"""Whoever doubts an audit file can have it checked."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.observe.reading import Record, flows_amiss, read_records


def record(session: int, event_type: str) -> Record:
    return {"flow_id": session, "event_type": event_type}


class ReadingTests(SynchronousTestCase):
    """Finding what is wrong."""

    def test_well(self) -> None:
        """One flow record for each session, at its end: nothing to say."""
        records = [record(1, "http"), record(2, "flow"), record(1, "flow")]
        self.assertEqual(flows_amiss([*records, {"event_type": "audit"}]), [])

    def test_amiss(self) -> None:
        """None, two, or more to come after it: each is told."""
        records = [record(1, "http"), record(2, "flow"), record(2, "flow"), record(3, "flow")]
        self.assertEqual(
            flows_amiss([*records, record(3, "http")]),
            [
                "session 1 has 0 flow records",
                "session 2 has 2 flow records",
                "session 3 has records after its flow",
            ],
        )

    def test_lines(self) -> None:
        """A torn line, two lines in one, no object, or a control character is an error."""
        file = Path(self.mktemp())
        file.write_bytes(b'{"a":1}\n{"b":2}\n')
        self.assertEqual(read_records(file), [{"a": 1}, {"b": 2}])
        for data in (b'{"a":1}', b'{"a":1}{"b":2}\n', b"[]\n", b'{"a":"\x7f"}\n', b"\n"):
            file.write_bytes(data)
            self.assertRaises(ValueError, read_records, file)

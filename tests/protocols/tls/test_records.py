"""What a client sends first, in whatever pieces, is put together or refused at once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from protocols.tls.numbers import Alert
from protocols.tls.records import Limits, progress
from protocols.tls.refusal import Refusal
from tests.protocols.tls.hellos import body, message, records

LIMITS = Limits()
BODY = body()
MESSAGE = message(BODY)


def arrived(data: bytes, limits: Limits = LIMITS) -> tuple[bytes | None, int]:
    """What is known when one byte after the other has come, and how many were looked at."""
    count = 1
    while count <= len(data):
        known = progress(data[:count], limits)
        if known.body is not None:
            return known.body, count
        assert known.wanted > count, "it waits for what is there"
        count = known.wanted
    return None, len(data)


class WholeTests(SynchronousTestCase):
    """A hello is understood as soon as its last byte has come, however it was cut."""

    def test_one_record(self) -> None:
        """The ordinary case."""
        data = records(MESSAGE)
        self.assertEqual(arrived(data), (BODY, len(data)))

    def test_every_cut(self) -> None:
        """Two records, cut at every byte of the message, its header included."""
        for end in range(1, len(MESSAGE)):
            data = records(MESSAGE, end)
            self.assertEqual(arrived(data), (BODY, len(data)), end)

    def test_many_records(self) -> None:
        """As many records as are allowed."""
        data = records(MESSAGE, *range(1, LIMITS.records))
        self.assertEqual(arrived(data), (BODY, len(data)))

    def test_what_follows_is_left(self) -> None:
        """Early data, in records of its own, is not looked at."""
        known = progress(records(MESSAGE) + b"\x17\x03\x03\x00\x05early", LIMITS)
        self.assertEqual(known.body, BODY)
        self.assertEqual(known.wanted, len(records(MESSAGE)))

    def test_wanted(self) -> None:
        """Each octet of a header is looked at as it comes, a record's content when it is whole."""
        data = records(MESSAGE, 10, 20)
        looks = [0]
        while looks[-1] <= len(data):
            known = progress(data[: looks[-1]], LIMITS)
            if known.body is not None:
                break
            looks.append(known.wanted)
        first, second, third = range(10), range(15, 21), range(30, 36)
        self.assertEqual(looks, [*first, *second, *third, len(data)])


class RefusedTests(SynchronousTestCase):
    """What can't become a hello is refused at the first byte that says so."""

    def refused(self, data: bytes, alert: Alert, after: int, limits: Limits = LIMITS) -> None:
        """C{data} is refused when C{after} bytes of it have come, and not before."""
        if after > 1:
            self.assertIsNone(progress(data[: after - 1], limits).body)
        refusal = self.assertRaises(Refusal, arrived, data[:after], limits)
        self.assertEqual(refusal.alert, alert)
        self.assertEqual(refusal.reply, bytes((21, 3, 3, 0, 2, 2, alert)))
        self.assertRaises(Refusal, progress, data, limits)

    def test_not_tls(self) -> None:
        """Plaintext, and the hello of SSL 2."""
        self.refused(b"GET / HTTP/1.1\r\n", Alert.UNEXPECTED_MESSAGE, 1)
        self.refused(b"\x80\x2e\x01\x03\x01", Alert.UNEXPECTED_MESSAGE, 1)

    def test_alert_first(self) -> None:
        """A client that begins with an alert has nothing to say."""
        self.refused(b"\x15\x03\x03\x00\x02\x02\x28", Alert.UNEXPECTED_MESSAGE, 1)

    def test_version(self) -> None:
        """Versions that are none of TLS."""
        self.refused(b"\x16\x02\x00", Alert.PROTOCOL_VERSION, 2)

    def test_length_of_records(self) -> None:
        """Empty records, which RFC 8446, section 5.1, forbids, and too long ones."""
        self.refused(b"\x16\x03\x01\x00\x00" + records(MESSAGE), Alert.DECODE_ERROR, 5)
        self.refused(b"\x16\x03\x01\x40\x01", Alert.DECODE_ERROR, 5)

    def test_other_message(self) -> None:
        """A ServerHello from a client."""
        self.refused(records(message(BODY, kind=2)), Alert.UNEXPECTED_MESSAGE, 6)

    def test_other_record_between(self) -> None:
        """A record of another kind inside of the message (RFC 8446, section 5.1)."""
        data = records(MESSAGE[:20]) + b"\x17\x03\x03\x00\x01x" + records(MESSAGE[20:])
        self.refused(data, Alert.UNEXPECTED_MESSAGE, 26)

    def test_more_in_the_record(self) -> None:
        """Something behind the hello, in the same record, is seen before it has come."""
        self.refused(records(MESSAGE + b"\x01"), Alert.UNEXPECTED_MESSAGE, 9)
        self.refused(records(MESSAGE + MESSAGE), Alert.UNEXPECTED_MESSAGE, 9)

    def test_too_long(self) -> None:
        """More than the limit, seen from the message's header."""
        limits = Limits(message=len(BODY) - 1)
        self.refused(records(MESSAGE), Alert.DECODE_ERROR, 9, limits)
        self.assertEqual(progress(records(MESSAGE), Limits(message=len(BODY))).body, BODY)

    def test_too_many_records(self) -> None:
        """More records than are allowed, at the header of the first of them."""
        data = records(MESSAGE, *range(1, LIMITS.records + 1))
        self.refused(data, Alert.DECODE_ERROR, LIMITS.records * 6 + 5)

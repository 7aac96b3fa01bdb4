"""Fields: all lines of a head are read at once, and each as if it were alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.http.fields import parse
from protocols.http.grammar import FIELD_LINE
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed

PIECES = st.sampled_from(
    (*("a: b", "c:d", "E-f: g ") * 2, *("\r\n",) * 6, "\n", "\r", " ", "\t", ":", "\0", "\xe9", "x")
)


class FieldsTests(SynchronousTestCase):
    """What is a header, and what its name and value are."""

    @given(st.lists(PIECES, max_size=12).map("".join))
    def test_any(self, text: str) -> None:
        """Headers pass if each line is one; no line hides in another one."""
        lines = text.split("\r\n")
        found = [FIELD_LINE.fullmatch(line) for line in lines]
        each = tuple((one[1], one[2].strip(" \t")) for one in found if one is not None)
        try:
            fields = parse(f"{text}\r\n", Limits(), 0).fields
        except Malformed:
            self.assertIn(None, found)
        else:
            self.assertEqual(fields, each)
            self.assertNotIn(None, found)

    def test_none(self) -> None:
        """There may be none, as in most trailers."""
        self.assertEqual(parse("", Limits(), 0).fields, ())

    def test_limits(self) -> None:
        """What is too much is told with its place."""
        limits = Limits(headers=2, header_line_bytes=8)
        for lines, place in (("A: b\r\n" * 3, 112), ("A: b\r\nC: 123456\r\n", 106)):
            with self.assertRaises(Malformed) as raised:
                parse(lines, limits, 100)
            self.assertEqual(raised.exception.offset, place)
        self.assertEqual(len(parse("A: b\r\nC: 12345\r\n", limits, 100)), 2)

"""LineSet: a set in little memory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from protocols.lineset import LineSet

LINES = st.lists(st.binary(max_size=6).filter(lambda line: b"\n" not in line), max_size=50)


class LineSetTests(SynchronousTestCase):
    """It is the set that Python would have made."""

    @given(LINES, LINES)
    @settings(max_examples=200, deadline=None)
    def test_model(self, lines: list[bytes], asked: list[bytes]) -> None:
        """What was put in is there, and nothing else is."""
        made = LineSet(lines)
        self.assertEqual(len(made), len(set(lines)))
        self.assertEqual(
            [line in made for line in lines + asked], [line in set(lines) for line in lines + asked]
        )

    def test_parts(self) -> None:
        """A part of a line is not there, nor are two lines."""
        made = LineSet([b"abc", b"def"])
        for asked in (b"ab", b"bc", b"abc\ndef", b"abc\n", b"\nabc", b"c\nd"):
            self.assertNotIn(asked, made)

    def test_memory(self) -> None:
        """Many lines take their text and at most 16 bytes each."""
        lines = [b"host%d.example.com" % number for number in range(10000)]
        made = LineSet(lines)
        text = sum(len(line) + 1 for line in lines) + 1
        self.assertLessEqual(made.size, text + 16 * len(lines) + 64)

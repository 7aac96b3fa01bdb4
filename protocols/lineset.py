"""
LineSet: a set of short byte strings, hundreds of thousands of them, in little memory.

A Python set of as many C{bytes} takes about 100 bytes for each; this takes its
text and 8 to 16 bytes. Reading it takes about a microsecond, whatever its size.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable


class LineSet:
    """
    A set of lines that does not change.

    All lines are one text. A hash table with open addressing and linear
    probing, at most half full, holds where each begins; 0 is an empty place,
    since the text begins with a line end. Python's hash of bytes has a secret
    key, so that nobody can write a list, or ask for names, that collide.
    """

    __slots__ = ("_count", "_mask", "_starts", "_text")

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self._text = b"\n" + b"".join([line + b"\n" for line in lines])
        if len(self._text) >= 2**32:
            raise ValueError("more than 4 GiB")
        size = 1 << (2 * self._text.count(b"\n")).bit_length()
        self._mask = size - 1
        self._starts = array("I", bytes(4 * size))
        self._count = 0
        self._fill()

    def _fill(self) -> None:
        """Find a place for each line. Local names: this runs a million times."""
        text, starts, mask = self._text, self._starts, self._mask
        find, begins = text.find, text.startswith
        start, count = 1, 0
        while (end := find(b"\n", start)) >= 0:
            line = text[start : end + 1]
            place = hash(line) & mask
            while (there := starts[place]) and not begins(line, there):
                place = (place + 1) & mask
            if not there:
                starts[place] = start
                count += 1
            start = end + 1
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __contains__(self, line: bytes) -> bool:
        if b"\n" in line:
            return False
        line += b"\n"
        starts, mask, begins = self._starts, self._mask, self._text.startswith
        place = hash(line) & mask
        while there := starts[place]:
            if begins(line, there):
                return True
            place = (place + 1) & mask
        return False

    @property
    def size(self) -> int:
        """How many bytes of memory it takes."""
        return len(self._text) + self._starts.itemsize * len(self._starts)

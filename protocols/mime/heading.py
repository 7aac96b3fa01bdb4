"""
Heading: reads a header up to its end.

It ends with an empty line (RFC 5322, section 2.1), or where a line is no field:
most servers take that for the first one of the body. Not so a mailbox's "From "
line on top, which belongs to nobody, and a parameter that should have been folded.
"""

from __future__ import annotations

import re

from protocols.mime.header import Header
from protocols.mime.objection import header_too_long

_NO_FIELD = re.compile(
    rb"(?:\A|(?<=\r\n))(?![ \t]|[!-9;-~]+[ \t]*:|\Z)"
    rb"(?:(?P<mailbox>>*From [^\r\n]*)|(?P<parameter>[A-Za-z0-9*-]+=[^\r\n]*)|[^\r\n]*)\r\n"
)


class Heading:
    """
    One header.

    @ivar empty: no line of it has come.
    @ivar after: the delimiter that it follows, if it is that of a part.
    """

    def __init__(self, limit: int, after: bytes = b"") -> None:
        self.empty = True
        self.after = after
        self._limit = limit
        self._size = 0
        self._open = False  # the line before ends in a semicolon
        self._lines: list[bytes] = []

    def feed(self, lines: bytes) -> int | None:
        """
        Some whole lines.

        @return: C{None}, or how many bytes of them belong to the header, which is
            complete then; the empty line that may follow does not.
        @raise Objection: it is too long.
        """
        end = self._end(lines)
        self._lines.append(lines if end is None else lines[:end])
        self._open = lines.endswith(b";\r\n")
        self._size += len(self._lines[-1])
        self.empty = self.empty and not self._size
        if self._size > self._limit:
            raise header_too_long(self._limit)
        return end

    def _end(self, lines: bytes) -> int | None:
        """Where the first line begins that is no field; C{None} if it has not come."""
        if self.empty and lines[:1] in (b" ", b"\t"):  # it goes on with nothing
            return 0
        at = 0
        while (found := _NO_FIELD.search(lines, at)) is not None:
            if not self._goes_on(lines, found):
                return found.start()
            at = found.end()
            self.empty = False
        return None

    def _goes_on(self, lines: bytes, found: re.Match[bytes]) -> bool:
        """Whether the header goes on behind a line that is no field."""
        first = found.start() == 0
        if found["parameter"]:
            return self._open if first else lines.endswith(b";\r\n", 0, found.start())
        return first and self.empty and bool(found["mailbox"])

    def header(self, rest: bytes) -> Header:
        """
        What was read.

        @param rest: what follows it.
        """
        header = Header.parse(b"".join(self._lines))
        if rest[:2] not in (b"", b"\r\n"):
            line = rest[:60].partition(b"\r\n")[0]  # not what has come with it by chance
            header.problem = f"a line in a header is no field, {line!r}"
        return header

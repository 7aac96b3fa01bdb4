"""Dotted: content as it follows DATA, up to the line with the dot (RFC 5321, section 4.5.2)."""

from __future__ import annotations

import re

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.smtp.content.lines import bare_newline, check_lengths, long_line, repaired, sound
from protocols.smtp.deadline import Waits

_MARK = b"\r\n.\r\n"

# What a sender that does not end its lines in CRLF takes for the end.
_DOT = re.compile(rb"(?:\A|[\r\n])\.[\r\n]")


class Dotted:
    """
    Reads a message: a line, and with it all whole lines that have come.

    @ivar size: bytes of content so far.
    @ivar over: the dot was read.
    """

    def __init__(self, read: Reader, repair: bool, limit: int, waits: Waits) -> None:
        self.size = 0
        self.over = False
        self._read = read
        self._repair = repair
        self._limit = limit
        self._waits = waits
        self._clean = True  # the line before ended in CRLF, as the line "DATA" did
        self._abandoned = False

    async def block(self) -> bytes:
        """
        The next block; empty at the end.

        @raise Refusal: a line is too long, or has a lone CR or LF or a NUL
            (unless they are repaired).
        @raise Denied: the client has gone.
        """
        line = await self._line()
        if self._is_end(line):
            self.over = True
            return b""
        block = self._lines(line + b"\n")
        count = self._whole()
        if count:
            block += self._lines(await self._read.exactly(count, count))
        self.size += len(block)
        return block

    def _is_end(self, line: bytes) -> bool:
        return self._clean and line == b".\r"

    async def _line(self) -> bytes:
        """The next line without its LF."""
        self._waits("data_seconds")
        try:
            return await self._read.until(b"\n", self._limit + 1)
        except Denied:
            if self._read.ended:
                raise
            raise long_line(self._limit) from None
        finally:
            self._waits(None)

    def _whole(self) -> int:
        """How many bytes have come of whole lines, up to the line with the dot."""
        if self._clean and self._read.peek(3) == b".\r\n":
            return 0
        end = self._read.find(_MARK)
        return end + 2 if end >= 0 else self._read.rfind(b"\n") + 1

    def _lines(self, lines: bytes) -> bytes:
        """Whole lines, none of which is the end, without the dots that were added."""
        stuffed_first = self._clean and lines[:1] == b"."
        self._clean = lines.endswith(b"\r\n")
        check_lengths(lines, self._limit)
        plain = sound(lines)
        if not plain and not self._repair:
            self._abandoned = _DOT.search(lines) is not None
            raise bare_newline()
        # A dot is taken off behind CRLF only: behind what has yet to become one, it is the line's.
        lines = lines[stuffed_first:].replace(b"\r\n.", b"\r\n")
        return lines if plain else repaired(lines)

    async def skip(self, most: int) -> bool:
        """
        After a fault: read on for a while, so that the client listens when it is told.

        @return: whether the message came to its end, and the next command may be
            read. Not so if the client took something else for the end.
        """
        most += self.size
        inside = False  # a line whose beginning was read
        while not self.over and not self._abandoned and self.size < most:
            self._waits("data_seconds")
            try:
                line = await self._read.until(b"\n", self._limit + 1)
            except Denied:
                if self._read.ended:
                    raise
                inside, beginning = True, await self._read.exactly(self._limit, self._limit)
                self.size += len(beginning)
                continue
            self.over = not inside and self._is_end(line)
            self._abandoned = not inside and not self.over and line.strip(b"\r") == b"."
            self._clean, inside = line.endswith(b"\r"), False
            self.size += len(line)
        self._waits(None)
        return self.over

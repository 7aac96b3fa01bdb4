"""Dotted: content as it follows DATA, up to the line with the dot (RFC 5321, section 4.5.2)."""

from __future__ import annotations

import re

from gateway.inspector import Reader, Waits
from gateway.interfaces import Denied
from protocols.mime.lines import (
    Fold,
    Rules,
    bare_newline,
    good,
    long_line,
    repaired,
    sound,
)

_MARK = b"\r\n.\r\n"
_DOT = b".\r\n"

_LINE = re.compile(rb"[^\n]*\n")

# What a sender that does not end its lines in CRLF takes for the end.
_OTHER_DOT = re.compile(rb"(?:\A|[\r\n])\.[\r\n]")


class Dotted:
    """
    Reads a message: a line, and with it all whole lines that have come.

    @ivar size: bytes of content so far.
    @ivar over: the dot was read.
    """

    def __init__(self, read: Reader, rules: Rules, waits: Waits) -> None:
        self.size = 0
        self.over = False
        self._read = read
        self._rules = rules
        self._waits = waits
        self._clean = True  # the line before ended in CRLF, as the line "DATA" did
        self._pending = b""  # lines that were read and are not given back yet
        self._fold: Fold | None = None
        self._other_dot = False  # something that another reader takes for the end was among it

    async def block(self) -> bytes:
        """
        The next block; empty at the end.

        @raise Unfit: a line is too long, or has a lone CR or LF or a NUL
            (unless they are repaired). All lines before it were given back.
        @raise Denied: the client has gone.
        """
        block = b""
        while not (block or self.over):
            block = await self._folded() if self._fold is not None else await self._next()
        self.size += len(block)
        return block

    async def _next(self) -> bytes:
        lines, self._pending = self._pending, b""
        if not lines:
            try:
                lines = await self._lines()
            except _TooLong:
                return self._begin_to_fold()
        if self._clean and lines[:3] == _DOT:
            self.over = True
            return b""
        end = good(lines, self._rules)
        self._pending = lines[end:]
        return self._sound(lines[:end]) if end else self._bad(lines)

    async def _lines(self) -> bytes:
        """The next line, and all whole ones that have come, up to the line with the dot."""
        line = await self._line() + b"\n"
        if self._clean and line == _DOT:
            return line
        if line.endswith(b"\r\n") and self._read.peek(3) == _DOT:
            return line
        end = self._read.find(_MARK)
        count = end + 2 if end >= 0 else self._read.rfind(b"\n") + 1
        return line + await self._read.exactly(count, count) if count else line

    async def _line(self) -> bytes:
        """The next line without its LF."""
        self._waits("data_seconds")
        try:
            return await self._read.until(b"\n", self._rules.limit + 1)
        except Denied:
            if self._read.ended:
                raise
            raise _TooLong from None
        finally:
            self._waits(None)

    def _sound(self, lines: bytes) -> bytes:
        """Lines as they may be, without the dots that were added."""
        stuffed_first = self._clean and lines[:1] == b"."
        self._clean = lines.endswith(b"\r\n")
        # A dot is taken off behind CRLF only: behind what has yet to become one, it is the line's.
        plain = lines[stuffed_first:].replace(b"\r\n.", b"\r\n")
        if sound(plain):
            return plain
        self._other_dot = self._other_dot or _OTHER_DOT.search(lines) is not None
        return repaired(plain)

    # Lines that may not be

    def _bad(self, lines: bytes) -> bytes:
        end = lines.index(b"\n") + 1
        if end <= self._rules.limit + 2:
            raise bare_newline()
        self._pending = lines
        return self._begin_to_fold()

    def _begin_to_fold(self) -> bytes:
        if not self._rules.folds():
            raise long_line(self._rules.limit)
        self._fold = Fold(self._rules.limit)
        return b""

    async def _folded(self) -> bytes:
        """More of a line that is base64, and too long."""
        assert self._fold is not None
        text, newline, self._pending = self._pending.partition(b"\n")
        if not newline and not text:
            text, newline = await self._piece()
        fold = self._fold
        if newline:
            self._fold, self._clean = None, text.endswith(b"\r")
        out = fold.feed(text.replace(b"\r", b""))
        return out + fold.end() if newline else out

    async def _piece(self) -> tuple[bytes, bytes]:
        """Of a line that has not all come: a piece without its LF, and the LF if it is the last."""
        try:
            return await self._line(), b"\n"
        except _TooLong:
            return await self._read.exactly(self._rules.limit, self._rules.limit), b""

    # After a refusal

    async def skip(self, most: int) -> bool:
        """
        Read on for a while, so that the client listens when it is told.

        @return: whether the message came to its end, and the next command may be
            read. Not so if the client took something else for the end, before or since.
        """
        if self._other_dot:
            return False
        most += self.size
        inside = self._fold is not None  # a line whose beginning was read
        pending, self._pending = _LINE.findall(self._pending), b""
        while not self.over and self.size < most:
            line = pending.pop(0) if pending else b"".join(await self._piece())
            self.size += len(line)
            self.over = self._clean and not inside and line == _DOT
            if not self.over and _OTHER_DOT.search(line):
                return False
            inside = not line.endswith(b"\n")
            self._clean = line.endswith(b"\r\n")
        return self.over


class _TooLong(Exception):
    """A line that has not all come is longer than one may be."""

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

# What a sender that does not end its lines in CRLF takes for the end. It begins with the dot, so
# that text is passed over quickly.
_OTHER_DOT = re.compile(rb"\.(?<=[\r\n]\.)[\r\n]")


class Dotted:
    """
    Reads a message: a line, and with it all whole lines that have come.

    @param speaks_on: who sends it goes on unasked when it is over. So it matters whether something
        else may have been taken for its end: then nobody knows what is a command.
    @ivar size: bytes of content so far.
    @ivar over: the dot was read.
    """

    def __init__(self, read: Reader, rules: Rules, waits: Waits, speaks_on: bool) -> None:
        self.size = 0
        self.over = False
        self._read = read
        self._rules = rules
        self._waits = waits
        self._speaks_on = speaks_on
        self._before = b"\r\n"  # what was read last, two bytes: the end of the line "DATA"
        self._pending = b""  # lines that were read and are not given back yet
        self._fold: Fold | None = None
        self._other_dot = False  # something that another reader takes for the end was among it

    @property
    def _clean(self) -> bool:
        """Whether a line begins here: the one before ended in CRLF."""
        return self._before == b"\r\n"

    def _look(self, data: bytes) -> None:
        """These bytes were read next."""
        data = self._before + data
        if self._speaks_on and not self._other_dot:
            self._other_dot = _OTHER_DOT.search(data) is not None
        self._before = data[-2:]

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
        # A dot is taken off behind CRLF only: behind what has yet to become one, it is the line's.
        plain = lines[stuffed_first:].replace(b"\r\n.", b"\r\n")
        if sound(plain):
            self._before = b"\r\n"
            return plain
        self._look(lines)
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
        text, newline = self._pending_piece() if self._pending else await self._piece()
        self._look(text + newline)
        fold = self._fold
        if newline:
            self._fold = None
        out = fold.feed(text.replace(b"\r", b""))
        return out + fold.end() if newline else out

    def _pending_piece(self) -> tuple[bytes, bytes]:
        """The same as L{_piece}, of lines that have all come: the cut must not matter."""
        pending, limit = self._pending, self._rules.limit
        cut = pending.find(b"\n", 0, limit + 2)
        if cut < 0:
            self._pending = pending[limit:]
            return pending[:limit], b""
        self._pending = pending[cut + 1 :]
        return pending[:cut], b"\n"

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
        most += self.size
        data, self._pending = self._pending, b""
        while not (self.over or self._other_dot) and self.size < most:
            data = data or b"".join(await self._piece())
            self.size += len(data)
            self.over = self._clean and data == _DOT
            if not self.over:
                self._look(data)
            data = b""
        return self.over and not self._other_dot


class _TooLong(Exception):
    """A line that has not all come is longer than one may be."""

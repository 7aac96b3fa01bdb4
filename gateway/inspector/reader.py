"""
Reader: one side's bytes, for a coroutine that reads them.

Every read has a limit, and what is kept is never more than the limit of the
read that waits plus one segment: a direction that does not read is not fed.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from types import coroutine
from typing import Any

from gateway.interfaces import Denied, Side

LONE = re.compile(rb"\r(?=[^\n])|(?<!\r)\n")
"""A CR with something else than a LF behind it, or a LF with something else than a CR before it."""


TURN = 256
"""Reads of a coroutine before others have their turn: a millisecond or so."""

MESSAGE = 32
"""So many reads the end of a message counts for, as a decision about it and an answer follow."""

GIVE_WAY = object()
"""What a coroutine yields in the middle of what has come, so that others have their turn."""


class LoneEnd(Denied):
    """
    A line has a CR or a LF of its own.

    @ivar at: before it, so many bytes are unread.
    """

    def __init__(self, side: Side, at: int) -> None:
        super().__init__(f"the {side.value} sent a line with a lone CR or a lone LF")
        self.at = at


class CutOff(Denied):
    """A side ended in the middle of a message."""


class EndOfStream(Exception):
    """
    A side ended before it had sent anything.

    It ends the direction's coroutine like C{return}; nobody needs to catch it.
    """


class Reader:
    """
    What one side sent and nobody has read yet.

    All reads wait until they have what they need. A side that ends while one
    of them waits has ended inside a message and is denied, except that
      - L{more} gives C{False}, and so is the way to read several messages;
      - a side that never sent anything is not denied: the direction is over.

    @ivar side: whose bytes these are.
    @ivar ended: that side will send no more (but there may be unread bytes).
    @ivar cut: its end was not said, in TLS: what ends with the connection may not be whole.
    @ivar left: reads that may be done before others have their turn.
    """

    __slots__ = ("_at", "_began", "_buffer", "cut", "ended", "left", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.ended = False
        self.cut = False
        self._began = False
        self._buffer: bytes | bytearray = b""
        self._at = 0
        self.left = TURN

    # For the inspector

    async def line(self, limit: int) -> bytes:
        """
        One line, without its CRLF (RFC 5198, section 2: nothing else ends a line).

        @param limit: bytes, CRLF not counted.
        @raise LoneEnd: it has a CR or a LF of its own. What one program takes for two lines and
            the next one for one is how commands are smuggled.
        @raise Denied: it is longer.
        """
        return await self._lines(b"\r\n", 0, limit)

    async def lines(self, limit: int) -> bytes:
        """
        All lines up to the empty one, each with its CRLF. The empty one is read too.

        @param limit: bytes, the empty line not counted.
        @raise LoneEnd: as soon as one line has a CR or a LF of its own.
        @raise Denied: they are longer.
        """
        if self.left <= 0:
            await self._give_way()
        while self.unread < 2:
            self._check_ends(0, 2)
            await self._wait()
        if self.peek(2) == b"\r\n":
            return self._take(0, 2)
        return await self._lines(b"\r\n\r\n", 2, limit)

    async def until(self, mark: bytes, limit: int) -> bytes:
        """
        Everything up to C{mark}, without it; the mark is read too.

        @param limit: bytes, the mark not counted.
        @raise Denied: the mark did not come within the limit.
        """
        return await self._until(mark, limit + len(mark), limit)

    async def exactly(self, count: int, limit: int) -> bytes:
        """
        Exactly so many bytes.

        @param count: as the peer announced it, so it may be anything.
        @raise Denied: C{count} is negative or over C{limit}.
        """
        if not 0 <= count <= limit:
            raise Denied(f"the {self.side.value} announced {count} bytes; {limit} are allowed")
        if self.left <= 0:
            await self._give_way()
        while self.unread < count:
            await self._wait()
        return self._take(count)

    async def some(self, limit: int | None = None) -> bytes:
        """
        What has come, at least one byte: for bulk that is understood by its
        length. Not copied if all of it is taken.

        @param limit: no more than so many bytes, such as what is left of a body.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"some() of {limit} bytes can't be read")
        if self.left <= 0:
            await self._give_way()
        while not self.unread:
            await self._wait()
        return self._take(self.unread if limit is None else min(limit, self.unread))

    async def more(self, than: int = 0) -> bool:
        """
        Wait between two messages; or, to look at what comes as it comes, until
        more than so many bytes are unread.

        @return: whether they are; C{False} if the side ended instead.
        """
        if self.left <= 0:
            await self._give_way()
        while len(self._buffer) - self._at <= than and not self.ended:
            await self._wait()
        self.left -= MESSAGE
        return len(self._buffer) - self._at > than

    @property
    def unread(self) -> int:
        """How many bytes have come and are not read."""
        return len(self._buffer) - self._at

    @property
    def empty(self) -> bool:
        """Whether everything that has come is read."""
        return self._at == len(self._buffer)

    def peek(self, count: int) -> bytes:
        """The first C{count} unread bytes, or as many as have come. They stay unread."""
        return bytes(self._buffer[self._at : self._at + count])

    def find(self, mark: bytes) -> int:
        """Where C{mark} begins first in what is unread, counted from there; -1 if nowhere."""
        found = self._buffer.find(mark, self._at)
        return found - self._at if found >= 0 else -1

    def rfind(self, mark: bytes) -> int:
        """Where C{mark} begins last in what is unread, counted from there; -1 if nowhere."""
        found = self._buffer.rfind(mark, self._at)
        return found - self._at if found >= 0 else -1

    def skip(self, count: int) -> None:
        """Read so many bytes that L{peek} has shown."""
        self._began = True
        self.left -= 1
        self._at += count
        if self._at == len(self._buffer):
            self._buffer, self._at = b"", 0

    def take(self, count: int) -> bytes:
        """Read so many bytes that have come: no more than L{unread}."""
        return self._take(count)

    # For the direction

    def feed(self, data: bytes) -> None:
        """C{data} has come."""
        if self._at == len(self._buffer):
            self._buffer, self._at = data, 0
            return
        if isinstance(self._buffer, bytearray):
            del self._buffer[: self._at]
        else:
            self._buffer = bytearray(memoryview(self._buffer)[self._at :])
        self._at = 0
        self._buffer += data

    def end(self, cut: bool = False) -> None:
        """
        No more will come.

        @param cut: that was not said, see L{cut<gateway.interfaces.ISession.cut>}.
        """
        self.ended = True
        self.cut = cut

    def rest(self) -> bytes:
        """All that is unread, without waiting."""
        return self._take(self.unread)

    async def _lines(self, end: bytes, kept: int, limit: int) -> bytes:
        """
        Everything up to C{end}, and the first C{kept} bytes of that. Whoever ends a line wrongly
        would perhaps never send a right end, but wait: so that is looked for as it comes.
        """
        if self.left <= 0:
            await self._give_way()
        checked = searched = 0
        most = limit + len(end)
        while True:
            at = self._at
            found = self._buffer.find(end, at + searched, at + most)
            self._check_ends(checked, most if found < 0 else found - at + 1)
            if found >= 0:
                return self._take(found - at + kept, len(end) - kept)
            if self.unread >= most:
                raise self._too_long(b"\n", limit)
            checked, searched = max(0, self.unread - 1), max(0, self.unread - len(end) + 1)
            await self._wait()

    def _check_ends(self, begin: int, end: int) -> None:
        """
        See that nothing but CRLF ends a line, from and up to so many unread bytes.

        @raise LoneEnd: something does.
        """
        if begin == 0 and self._buffer[self._at : self._at + 1] == b"\n":
            # The expression looks back over the first unread byte, at a CR that was read already.
            raise LoneEnd(self.side, 0)
        lone = LONE.search(self._buffer, self._at + begin, self._at + end)
        if lone is not None:
            raise LoneEnd(self.side, lone.start() - self._at)

    async def _until(self, mark: bytes, most: int, limit: int) -> bytes:
        """
        Everything up to C{mark}.

        @param most: how many bytes there may be with all that counts as mark.
        """
        if self.left <= 0:
            await self._give_way()
        searched = 0
        while True:
            at = self._at
            found = self._buffer.find(mark, at + searched, at + most)
            if found >= 0:
                return self._take(found - at, len(mark))
            if self.unread >= most:
                raise self._too_long(mark, limit)
            searched = max(0, self.unread - len(mark) + 1)
            await self._wait()

    def _too_long(self, mark: bytes, limit: int) -> Denied:
        what = "a line" if mark == b"\n" else "a field"
        return Denied(f"the {self.side.value} sent {what} of more than {limit} bytes")

    def _take(self, count: int, skip: int = 0) -> bytes:
        """Read C{count} bytes, and pass over C{skip} more."""
        buffer, begin = self._buffer, self._at
        end = begin + count
        self._began = True
        self.left -= 1
        self._at = end + skip
        if self._at == len(buffer):
            self._buffer, self._at = b"", 0
        if isinstance(buffer, bytes):
            return buffer[begin:end]
        return bytes(memoryview(buffer)[begin:end])

    @staticmethod
    @coroutine
    def _give_way() -> Generator[Any, Any, None]:
        """Let others have their turn; the direction's driver recognises the word."""
        yield GIVE_WAY

    @coroutine
    def _wait(self) -> Generator[Any, Any, None]:
        """Wait until more has come; the direction's driver recognises the reader."""
        if self.ended:
            if self._began or self.unread:
                raise CutOff(f"the {self.side.value} ended in the middle of a message")
            raise EndOfStream
        yield self

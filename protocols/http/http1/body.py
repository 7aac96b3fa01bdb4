"""
Bodies: read piece by piece, by their framing.

A piece is what the network brought, so a body of gigabytes takes no more memory
than a small one. C{before} and C{after} are what our own framing puts around
it; chunks stay as large as they were, since some applications take them for messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gateway.inspector import CutOff, LoneEnd, Reader
from gateway.interfaces import Denied
from protocols.http.body import NO_BODY, Body
from protocols.http.fields import parse
from protocols.http.grammar import CHUNK_LINE, PADDED_CHUNK_LINE
from protocols.http.http1.framing import Framing, Kind
from protocols.http.http1.head import END, read_lines
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed
from protocols.http.message import Headers
from protocols.http.status import CONTENT_TOO_LARGE

CRLF = b"\r\n"

CHUNK_LINE_BYTES = 256
"""The longest line with a chunk's size and extensions; nobody uses extensions."""

# RFC 9110, section 6.5.1: what frames, routes, authenticates or says how to read the content.
_NO_TRAILERS = frozenset(
    {
        "age",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "location",
        "max-forwards",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
    }
)


Trailing = Callable[[Headers], Headers]
"""Says which trailers pass."""


class Most(NamedTuple):
    """
    How large a body may be.

    @ivar size: bytes of content; 0: any number.
    @ivar by: the setting that says so.
    """

    size: int
    by: str

    @classmethod
    def asked(cls, limits: Limits) -> Most:
        """That of a request."""
        return cls(limits.request_body_bytes, "limits.request_body_bytes")

    @classmethod
    def answered(cls, limits: Limits) -> Most:
        """That of a response."""
        return cls(limits.response_body_bytes, "limits.response_body_bytes")


class LengthBody:
    """As many bytes as the head said."""

    __slots__ = ("_left", "_read", "after", "before", "size")

    def __init__(self, read: Reader, length: int) -> None:
        self.before = self.after = b""
        self.size = 0
        self._left = length
        self._read = read

    def at_once(self, most: int) -> bytes | None:
        """See L{Body.at_once}."""
        left = self._left
        if left > most or left > self._read.unread:
            return None
        self.size += left
        self._left = 0
        return self._read.take(left)

    @property
    def ready(self) -> bool:
        """See L{Body.ready}."""
        return not self._read.empty or not self._left

    async def piece(self) -> bytes:
        """See L{Body.piece}."""
        if not self._left:
            return b""
        piece = await self._read.some(self._left)
        self._left -= len(piece)
        self.size += len(piece)
        return piece


class CloseBody:
    """All that comes until the end of the connection."""

    __slots__ = ("_limit", "_read", "after", "before", "size")

    def __init__(self, read: Reader, limit: Most) -> None:
        self.before = self.after = b""
        self.size = 0
        self._limit = limit
        self._read = read

    def at_once(self, most: int) -> bytes | None:
        """Nobody knows."""
        return None

    @property
    def ready(self) -> bool:
        """See L{Body.ready}."""
        return not self._read.empty or self._read.ended

    async def piece(self) -> bytes:
        """See L{Body.piece}."""
        if not await self._read.more():
            if self._read.cut:
                raise CutOff("the server ended without close_notify, within a message")
            return b""
        most = self._limit.size
        piece = await self._read.some(most - self.size + 1 if most else None)
        self.size += len(piece)
        check_size(self.size, self._limit)
        return piece


class ChunkedBody:
    """
    Chunks, and trailers (RFC 9112, section 7.1).

    @ivar line: the one with the size of the last chunk that was begun, and extensions.
    """

    __slots__ = (
        "_at",
        "_ended",
        "_left",
        "_lenient",
        "_limit",
        "_limits",
        "_open",
        "_read",
        "_trailing",
        "after",
        "before",
        "line",
        "size",
    )

    def __init__(
        self,
        read: Reader,
        limits: Limits,
        limit: Most,
        at: int,
        trailing: Trailing,
        lenient: bool,
    ) -> None:
        """
        @param at: where in the message the body begins.
        @param lenient: white space may be where no reader takes it for something.
        """
        self.before = self.after = self.line = b""
        self.size = 0
        self._at = at
        self._ended = False
        self._left = 0
        self._lenient = lenient
        self._limit = limit
        self._limits = limits
        self._open = False
        self._read = read
        self._trailing = trailing

    def at_once(self, most: int) -> bytes | None:
        """Its chunks are read one by one."""
        return None

    @property
    def ready(self) -> bool:
        """See L{Body.ready}. Sometimes it says no, but there is."""
        if self._left or self._ended:
            return not self._read.empty
        line = self._read.peek(len(CRLF) + CHUNK_LINE_BYTES)[len(CRLF) * self._open :]
        return b"\n" in line and (line[:1] != b"0" or self._read.find(END) >= 0)

    async def piece(self) -> bytes:
        """See L{Body.piece}."""
        if self._left:
            self.before = b""
        elif not await self._begin():
            return b""
        piece = await self._read.some(self._left)
        self._left -= len(piece)
        self._at += len(piece)
        self.size += len(piece)
        self._open = not self._left
        self.after = CRLF if self._open else b""
        return piece

    async def _begin(self) -> bool:
        """Read a chunk's size; whether it was not the last one."""
        if self._ended:
            self.before = b""
            return False
        if self._open:
            await self._end_of_chunk()
        size = await self._chunk_size()
        if not size:
            trailers = await self._trailers()
            self._ended = True
            self.before = f"0\r\n{trailers.lines()}\r\n".encode("latin-1")
            self.after = b""
            return False
        if 0 < self._limits.chunk_bytes < size:
            reason = f"a chunk of {size} bytes; {self._limits.chunk_bytes} are allowed"
            raise Malformed(reason, self._at, CONTENT_TOO_LARGE, by="limits.chunk_bytes")
        check_size(self.size + size, self._limit, self._at)
        self._left = size
        self.before = b"%x\r\n" % size
        return True

    async def _chunk_size(self) -> int:
        try:
            line = await self._read.line(CHUNK_LINE_BYTES)
        except LoneEnd as lone:
            raise self._no_size(self._read.peek(lone.at + 1)) from None
        except CutOff:
            raise
        except Denied as denied:
            raise Malformed(f"in a chunk's size: {denied.reason}", self._at) from None
        pattern = PADDED_CHUNK_LINE if self._lenient else CHUNK_LINE
        found = pattern.fullmatch(line.decode("latin-1"))
        if found is None:
            raise self._no_size(line)
        self._at += len(line) + 2
        self.line = line
        return int(found[1], 16)

    def _no_size(self, line: bytes) -> Malformed:
        return Malformed(f"not the size of a chunk: {line!r}", self._at)

    async def _end_of_chunk(self) -> None:
        """It may come with the next chunk only, so nobody waits for it before this one passes."""
        for wanted in (b"\r", b"\n"):
            if (end := await self._read.exactly(1, 1)) != wanted:
                raise Malformed(f"a chunk is followed by {end!r}, not CRLF", self._at)
        self._at += len(CRLF)
        self._open = False

    async def _trailers(self) -> Headers:
        lines = await read_lines(self._read, self._limits, self._at)
        trailers = parse(lines, self._limits, self._at, self._lenient)
        for name, _ in trailers:
            if name.lower() in _NO_TRAILERS:
                reason = f"{name!r} is not allowed as a trailer"
                raise Malformed(reason, trailers.place(name))
        return self._trailing(trailers) if trailers.fields else trailers


def body_of(
    framing: Framing,
    read: Reader,
    limits: Limits,
    limit: Most,
    at: int,
    trailing: Trailing,
    lenient: bool = False,
) -> Body:
    """
    The body of a message.

    @param limit: of the content.
    @param at: how long the head was.
    @param trailing: says which trailers pass.
    @param lenient: chunks may have white space in their sizes' lines (RFC 9112, section 7.1.1).
    @raise Malformed: it says itself that it is over the limit.
    """
    if framing.kind is Kind.CHUNKED:
        return ChunkedBody(read, limits, limit, at, trailing, lenient)
    if framing.kind is Kind.CLOSE:
        return CloseBody(read, limit)
    if not framing.length:
        return NO_BODY
    check_size(framing.length, limit)
    return LengthBody(read, framing.length)


def check_size(size: int, limit: Most, at: int | None = None) -> None:
    """@raise Malformed: more than the limit, if there is one."""
    if 0 < limit.size < size:
        reason = f"a body of more than {limit.size} bytes"
        raise Malformed(reason, at, CONTENT_TOO_LARGE, by=limit.by)

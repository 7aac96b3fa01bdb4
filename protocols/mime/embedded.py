"""
Embedded: parts within what is no multipart, which some programs find there.

They look for lines that are a header's, and don't care for boundaries, or for
what stands between: in a text, in what is before the first part or behind the
last one, in a message without a Content-Type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from protocols.magic import LOOK
from protocols.mime.described import Described, described, meant
from protocols.mime.encoding import DECODERS, Decoder, Plain
from protocols.mime.header import Header

MOST = 8192
"""Bytes of such a header. What has more is none to anybody."""

BODY = 65536
"""Bytes that may wait for the first L{LOOK} of what they stand for."""

# Whatever stands in the place of the colon.
_BEGIN = re.compile(rb"(?:\A|(?<=\n))content-[a-z-]+[ \t]*[^a-z0-9\r\n-]", re.IGNORECASE)
_ENCODING = re.compile(rb"transfer-encoding[^a-z0-9\r\n]*([^\r\n]*)", re.IGNORECASE)
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:|[ \t]+[^ \t\r\n]")


@frozen
class Found:
    """
    A part.

    @ivar said: what it says of itself.
    @ivar beginnings: its first bytes, behind each of the encodings that it may have.
    """

    said: Described
    beginnings: tuple[bytes, ...]


class Body:
    """The first bytes of a part, behind one encoding."""

    def __init__(self, encoding: str) -> None:
        self._decoder: Decoder = DECODERS.get(encoding, Plain)()
        self.beginning = b""

    def feed(self, line: bytes) -> None:
        """One more line."""
        if len(self.beginning) < LOOK:
            self.beginning += self._decoder.feed(line).said

    def end(self) -> bytes:
        """That was all."""
        return (self.beginning + self._decoder.end().said)[:LOOK]


class Embedded:
    """Looks through a text, by its lines."""

    def __init__(self) -> None:
        self._rest = b""  # a line that is not complete
        self._header: list[bytes] = []
        self._between: list[bytes] = []  # lines of a header that are no fields
        self._said: Described | None = None
        self._bodies: list[Body] = []
        self._early: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Found]:
        """The parts that are known now."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[max(end, len(data) - MOST) :]
        at = 0
        while at < end:
            if not self._header and self._said is None:
                at = self._idle(data, at, end)
                continue
            line_end = data.index(b"\n", at) + 1
            yield from self._line(data[at:line_end])
            at = line_end

    def end(self) -> Iterator[Found]:
        """That was all."""
        if self._rest:
            yield from self.feed(b"\r\n")
        if self._header:
            self._described()
        yield from self._over()

    @property
    def cut(self) -> bool:
        """Whether it ends within a header that says how a body is encoded."""
        header = b"".join(self._header).lower()
        return b"content-transfer-encoding" in header

    def _idle(self, data: bytes, at: int, end: int) -> int:
        """Pass over what is no header's line."""
        found = _BEGIN.search(data, at, end) if at or b"content-" in data.lower() else None
        if found is None:
            return end
        line_end = data.index(b"\n", found.start()) + 1
        self._begin(data[found.start() : line_end])
        return line_end

    def _begin(self, line: bytes) -> None:
        self._header, self._between, self._size = [line], [], len(line)

    def _line(self, line: bytes) -> Iterator[Found]:
        if self._said is None:
            self._header_line(line)
        elif _BEGIN.match(line):
            yield from self._over()
            self._begin(line)
        else:
            self._size += len(line)
            for body in self._bodies:
                body.feed(line)
            if self._size > BODY or all(len(each.beginning) >= LOOK for each in self._bodies):
                yield from self._over()

    def _header_line(self, line: bytes) -> None:
        """A field, or what some programs pass over, and others take for the body."""
        self._size += len(line)
        if _FIELD.match(line):
            self._header.append(line)
        else:
            self._between.append(line)
            if b"name" in line.lower():
                self._header.append(b" " + line)
        if line in (b"\r\n", b"\n") or self._size > MOST:
            self._described()

    def _described(self) -> None:
        """The header is complete."""
        header = Header.parse(b"".join(line.rstrip(b"\r\n") + b"\r\n" for line in self._header))
        self._said = described(header)
        encodings = _encodings([*self._header, *self._between])
        self._bodies = [Body(each) for each in encodings]
        self._early = []
        if any(line.strip() for line in self._between):
            self._early = [_all(each, self._between) for each in encodings]
        self._header, self._size = [], 0

    def _over(self) -> Iterator[Found]:
        said, self._said = self._said, None
        bodies, self._bodies = self._bodies, []
        if said is not None:
            yield Found(said, (*(each.end() for each in bodies), *self._early))


def _encodings(lines: list[bytes]) -> tuple[str, ...]:
    """All that a body may be behind, whatever the line is that says it."""
    found = _ENCODING.findall(b"".join(lines))
    return tuple(dict.fromkeys(("", *(meant(each.decode("latin-1").lower()) for each in found))))


def _all(encoding: str, lines: list[bytes]) -> bytes:
    body = Body(encoding)
    for line in lines:
        body.feed(line)
    return body.end()

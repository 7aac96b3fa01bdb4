"""
Parts: the structure of a message (RFC 2046, section 5.1), found while it passes.

A part is where a boundary says so, in the innermost multipart first. Only the
header of a part is kept, one at a time, and as much of its body as it takes to decide.
"""

from __future__ import annotations

from attrs import define, field

from protocols.mime.described import Described, described
from protocols.mime.findings import Findings
from protocols.mime.header import Header
from protocols.mime.objection import Kind, Objection, ambiguous, header_too_long, too_many
from protocols.mime.part import Part
from protocols.mime.settings import ContentSettings

CLOSED = 100
"""Boundaries that are remembered after their multipart has ended."""


@define
class Level:
    """
    A multipart that is open.

    @ivar mark: what its delimiters begin with.
    @ivar depth: how deep it is in others, messages counted.
    @ivar default: what its parts are that don't say it.
    @ivar begun: whether a part has begun.
    """

    mark: bytes
    depth: int
    default: str
    begun: bool = False


@define
class Parts:
    """Follows the structure of one message."""

    settings: ContentSettings
    findings: Findings
    _levels: list[Level] = field(factory=list)
    _closed: list[bytes] = field(factory=list)
    _marks: tuple[bytes, ...] = ()
    _part: Part | None = None
    _header: list[bytes] | None = None
    _size: int = 0
    _depth: int = 0
    _count: int = 0
    _out: list[bytes] = field(factory=list)

    def begin(self, seen: Header, header: Header, gap: bytes) -> bytes:
        """
        The header of the message; what passes is given back.

        @param seen: as it came.
        @param header: as it is to pass.
        @param gap: the empty line after it, if there is one.
        @raise Objection: the message is refused; here and below.
        """
        self._open(described(seen), header, gap)
        return self._take()

    def feed(self, lines: bytes) -> bytes:
        """Some lines of the body; what passes is given back."""
        if self._part is not None and not self._levels:
            return self._part.feed(lines)
        begin = 0
        at = 0 if lines[:2] == b"--" else _next(lines, 0)
        while at >= 0:
            end = lines.index(b"\r\n", at) + 2
            if self._header is not None or lines.startswith(self._marks, at):
                self._text(lines[begin:at])  # first: it may begin the multipart that this ends
                begin = at
                if self._delimiter(lines[at : end - 2]):
                    self._out.append(lines[at:end])
                    begin = end
            at = _next(lines, end - 2)
        self._text(lines[begin:])
        return self._take()

    def end(self) -> bytes:
        """The message is complete; what is left of it is given back."""
        self._finish()
        self._leave(self._levels)
        return self._take()

    def _take(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    # Boundaries

    def _delimiter(self, line: bytes) -> bool:
        """Whether a line that begins with two hyphens ends a part. If so, it has ended."""
        for level in reversed(self._levels):
            if line.startswith(level.mark):
                rest = line[len(level.mark) :].rstrip(b" \t")
                if rest in (b"", b"--"):
                    self._ends(level, last=bool(rest))
                    return True
                # RFC 2046, section 5.1.1, takes this for a delimiter, and programs don't.
                self._doubt("a line that begins as a boundary does")
        if any(line.startswith(mark) for mark in self._closed):
            self._doubt("a boundary of a multipart that has ended")
        return False

    def _ends(self, level: Level, last: bool) -> None:
        if self._header is not None and not self._size:
            # RFC 2046, section 5.1.1: a part begins with a line of its own, if only an empty one.
            self._doubt("a part without a line")
        self._finish()
        at = self._levels.index(level)
        level.begun = level.begun or not last
        self._leave(self._levels[at if last else at + 1 :])
        del self._levels[at if last else at + 1 :]
        self._know()
        self._depth = level.depth
        self._header, self._size = None if last else [], 0

    def _leave(self, levels: list[Level]) -> None:
        """These multiparts are over."""
        if not all(level.begun for level in levels):
            self._doubt("a multipart without a part")
        self._closed = [*self._closed, *(each.mark for each in levels)][-CLOSED:]

    def _finish(self) -> None:
        """The present part is complete."""
        if self._header:  # a part whose header has no end has no body either
            self._opened(b"".join(self._header), b"")
        self._header = None
        if self._part is not None:
            self._out.append(self._part.end())
            self._part = None

    # Text between them

    def _text(self, lines: bytes) -> None:
        while lines and self._header is not None:
            lines = self._header_lines(lines)
        if lines:
            self._out.append(lines if self._part is None else self._part.feed(lines))

    def _header_lines(self, lines: bytes) -> bytes:
        """Read a header as far as it goes; what follows it is given back."""
        assert self._header is not None
        empty = -2 if lines[:2] == b"\r\n" else lines.find(b"\r\n\r\n")
        end = len(lines) if empty == -1 else empty + 2
        self._header.append(lines[:end])
        self._size += end
        if self._size > self.settings.header_bytes:
            raise header_too_long(self.settings.header_bytes)
        if end < len(lines):
            self._opened(b"".join(self._header), b"\r\n")
        return lines[end + 2 :]

    def _opened(self, data: bytes, gap: bytes) -> None:
        """The header of a part is complete."""
        self._header = None
        header = Header.parse(data)
        default = self._levels[-1].default if self._levels else "text/plain"
        self._open(described(header, default), header, gap)

    def _open(self, described: Described, header: Header, gap: bytes) -> None:
        self._counted()
        if described.problem:
            self._doubt(described.problem)
        part = self._part = Part(self.settings, described, self.findings, self._count == 1)
        self._out.append(part.begin(header, gap))
        if part.dropped:
            return
        if described.boundary:
            self._deeper()
            self._push(described)
        elif described.message:
            self._deeper()
            self._header, self._size = [], 0

    def _push(self, described: Described) -> None:
        mark = b"--" + described.boundary
        default = "message/rfc822" if described.type == "multipart/digest" else "text/plain"
        if any(level.mark.startswith(mark) for level in self._levels):
            self._doubt("a boundary of a multipart that has not ended")
        self._levels.append(Level(mark, self._depth, default))
        self._know()

    def _know(self) -> None:
        """What lines begin with that matter."""
        self._marks = (*(level.mark for level in self._levels), *self._closed)

    def _deeper(self) -> None:
        self._part = None
        self._depth += 1
        if self._depth > self.settings.nesting:
            reason = f"more than {self.settings.nesting} parts in each other (setting 'nesting')"
            raise Objection(reason, "The message has too many parts in each other", Kind.TOO_MANY)

    def _counted(self) -> None:
        self._count += 1
        if self._count > self.settings.parts_per_message:
            raise too_many("parts", self.settings.parts_per_message, "parts_per_message")

    def _doubt(self, why: str) -> None:
        """
        @raise Objection: programs would disagree about this message, and that matters.
        """
        if self.settings.strict:
            raise ambiguous(why)


def _next(lines: bytes, at: int) -> int:
    """Where the next line begins that may be a delimiter; -1 if there is none."""
    found = lines.find(b"\r\n--", at)
    return found + 2 if found >= 0 else -1

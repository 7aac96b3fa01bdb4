"""
Parts: the structure of a message (RFC 2046, section 5.1), found while it passes.

A part is where a boundary says so, in the innermost multipart first. Only the
header of a part is kept, one at a time, and as much of its body as it takes to decide.
What stands before the first part of a multipart, and behind the last one, is a
text that nobody should see, and so is judged as one that somebody does.
"""

from __future__ import annotations

from attrs import define, evolve, field

from protocols.mime.described import Described, described
from protocols.mime.doubt import to_be_mended
from protocols.mime.encoding import DECODERS, PLAIN, Base64, Decoder, Plain
from protocols.mime.findings import Findings
from protocols.mime.header import Header
from protocols.mime.heading import Heading
from protocols.mime.objection import too_many
from protocols.mime.part import Part
from protocols.mime.settings import ContentSettings
from protocols.mime.within import LINE, MOST, Within

CLOSED = 100
"""Boundaries that are remembered after their multipart has ended."""


TEXT = "text/plain"
"""What is in a part that does not say it (RFC 2045, section 5.2)."""


@define
class Level:
    """
    A multipart that is open.

    @ivar mark: what its delimiters begin with; and C{small}, in small letters.
    @ivar depth: how deep it is in others, messages counted.
    @ivar default: what its parts are that don't say it.
    """

    mark: bytes
    depth: int
    default: str
    small: bytes = field(init=False)

    @small.default
    def _small(self) -> bytes:
        return self.mark.lower()


class Wrapped:
    """The body of a part that is a message behind an encoding; it passes without that."""

    def __init__(self, decoder: Decoder, within: Within) -> None:
        self._decoder = decoder
        self._within = within

    @property
    def base64(self) -> bool:
        """See L{Part.base64}."""
        return isinstance(self._decoder, Base64)

    def feed(self, lines: bytes) -> bytes:
        """See L{Part.feed}."""
        return self._within.feed(self._decoder.feed(lines).said)

    def end(self) -> bytes:
        """See L{Part.end}."""
        return self._within.feed(self._decoder.end().said) + self._within.end()


@define
class Parts:
    """
    Follows the structure of one message.

    @param closed: what lines can't begin with, in small letters, as they would be another
        message's delimiters.
    """

    findings: Findings
    _depth: int = 0
    _closed: tuple[bytes, ...] = ()
    _levels: list[Level] = field(factory=list)
    _marks: tuple[bytes, ...] = ()
    _part: Part | Wrapped | None = None
    _heading: Heading | None = None
    _default: str = TEXT
    _out: list[bytes] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._know()

    @property
    def base64(self) -> bool:
        """Whether what comes next is base64."""
        return self._heading is None and self._part is not None and self._part.base64

    def begin(self, seen: Header, header: Header, rest: bytes) -> bytes:
        """
        The header of the message; what passes is given back.

        @param seen: as it came.
        @param header: as it is to pass.
        @param rest: what follows it.
        @raise Objection: the message is refused; here and below.
        """
        self._open(described(seen), header, seen, rest)
        return self._take() + self.feed(rest[_gap(rest) :])

    def expect(self) -> None:
        """The header of a message comes next."""
        self._default = TEXT
        self._heading = Heading(self._settings.header_bytes)

    def feed(self, lines: bytes) -> bytes:
        """Some lines of the body; what passes is given back."""
        if self._part is not None and not self._marks:
            return self._part.feed(lines)
        begin = 0
        at = 0 if lines[:2] == b"--" else _next(lines, 0)
        while at >= 0:
            end = lines.index(b"\r\n", at) + 2
            if self._heading is not None or lines[at:end].lower().startswith(self._marks):
                self._text(lines[begin:at])  # first: it may begin the multipart that this ends
                self._line(lines[at:end])
                begin = end
            at = _next(lines, end - 2)
        self._text(lines[begin:])
        return self._take()

    def end(self) -> bytes:
        """The message is complete; what is left of it is given back."""
        self._finish(b"")
        self._leave(0)
        return self._take()

    def _take(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    @property
    def _settings(self) -> ContentSettings:
        return self.findings.settings

    # Boundaries

    def _line(self, line: bytes) -> None:
        """A line that may be a delimiter."""
        for at in range(len(self._levels) - 1, -1, -1):
            level = self._levels[at]
            rest = line[len(level.mark) :].rstrip(b" \t\r\n")
            if line.startswith(level.mark) and rest in (b"", b"--"):
                self._ends(at, line, last=bool(rest))
                return
        self._text(self._doubtful(line))

    def _doubtful(self, line: bytes) -> bytes:
        """
        A line that is no delimiter, and that some programs take for one: RFC 2046,
        section 5.1.1, has it that whatever begins as a boundary is one.
        """
        if not line.lower().startswith(self._marks):
            return line
        hopeless = "a header has a line that begins as a boundary" * (self._heading is not None)
        problem = "a line that begins as a boundary does"
        return b" " + line if to_be_mended(problem, self.findings, hopeless) else line

    def _ends(self, at: int, line: bytes, last: bool) -> None:
        """A delimiter of this level: the part before it has ended."""
        self._finish(line)
        level = self._levels[at]
        self._leave(at if last else at + 1)
        self._depth = level.depth
        self._out.append(line)
        self._default = level.default
        self._heading = None if last else Heading(self._settings.header_bytes, line)

    def _leave(self, at: int) -> None:
        """The multiparts from this level on are over."""
        left = tuple(level.small for level in self._levels[at:])
        self._closed = (*self._closed, *left)[-CLOSED:]
        del self._levels[at:]
        self._know()

    def _finish(self, delimiter: bytes) -> None:
        """The present part is complete."""
        heading, self._heading = self._heading, None
        if heading is not None and heading.empty and heading.after and delimiter:
            # RFC 2046, section 5.1: a part begins with a line of its own, if only an empty one.
            if to_be_mended("a part without a line", self.findings):
                self._out.append(b"\r\n")
        elif heading is not None:  # a part whose header has no end has no body either
            self._opened(heading, b"", bool(delimiter))
        if self._part is not None:
            self._out.append(self._part.end())
            self._part = None

    # Text between them

    def _text(self, lines: bytes) -> None:
        while lines and self._heading is not None:
            lines = self._header_lines(self._heading, lines)
        if not lines:
            return
        if self._part is None:
            self._part = self._aside()
        self._out.append(self._part.feed(lines))

    def _aside(self) -> Part:
        """What stands before the first part, or behind the last one."""
        part = Part(Described(), self.findings)
        self._out.append(part.begin(Header(), b""))
        return part

    def _header_lines(self, heading: Heading, lines: bytes) -> bytes:
        """Read a header as far as it goes; what follows it is given back."""
        end = heading.feed(lines)
        if end is None:
            return b""
        self._heading = None
        self._opened(heading, lines[end:])
        return lines[end + _gap(lines[end:]) :]

    def _opened(self, heading: Heading, rest: bytes, cut: bool = False) -> None:
        """The header of a part is complete, or C{cut} off."""
        header = heading.header(rest)
        said = described(header, self._default)
        if cut and said.encoding not in PLAIN:  # which a program may still wait for the body of
            said.blame("a header without an end")
            rest = b"\r\n" * self._settings.mends
        self._open(said, header, header, rest)

    def _open(self, said: Described, header: Header, seen: Header, rest: bytes) -> None:
        self.findings.counted()
        gap = rest[: _gap(rest)]
        mended = to_be_mended(said.problem, self.findings, said.hopeless)
        if mended:
            header = said.mended(header)
            gap = gap or b"\r\n" * bool(seen.problem)
        leaf = not (said.boundary or said.message or (said.wrapped and mended))
        first = self.findings.parts == 1
        part = self._part = Part(said, self.findings, first, leaf, self._within(said))
        self._out.append(part.begin(header, gap))
        if not (leaf or part.dropped):
            self._enter(said)

    def _enter(self, said: Described) -> None:
        """What follows is parts, or another message."""
        self._part = None
        if said.boundary:
            self._push(said)
        elif said.message:
            self._deeper()
            self.expect()
        else:
            decoder = DECODERS.get(said.encoding, Plain)()
            self._part = Wrapped(decoder, Within(self._nested(self.findings), LINE))

    def _within(self, said: Described) -> Within | None:
        """For what a mail program opens as a message, so that it can't hide anything."""
        settings = self._settings
        if not (settings.judges_parts and (said.container or said.wrapped)):
            return None
        # Nothing in it can be changed or taken out.
        rules = tuple(
            evolve(rule, action="accept" if rule.action == "accept" else "reject")
            for rule in settings.attachments
        )
        inside = evolve(settings, attachments=rules)
        if settings.mends:
            inside = evolve(inside, malformed="deny")
        return Within(self._nested(evolve(self.findings, settings=inside, holds=False)), MOST)

    def _nested(self, findings: Findings) -> Parts:
        nested = Parts(findings, self._depth, self._marks)
        nested._deeper()
        nested.expect()
        return nested

    def _push(self, said: Described) -> None:
        mark = b"--" + said.boundary
        default = "message/rfc822" if said.type == "multipart/digest" else TEXT
        self._deeper()
        self._levels.append(Level(mark, self._depth, default))
        small = self._levels[-1].small
        outer = [level.small for level in self._levels[:-1]]
        hopeless = "a boundary of a multipart that has not ended" * (small in outer)
        problem = "a boundary that another one begins with"
        problem = problem * any(each.startswith(small) for each in outer)
        to_be_mended(problem, self.findings, hopeless)
        self._know()

    def _know(self) -> None:
        """What lines begin with that matter."""
        self._marks = (*(level.small for level in self._levels), *self._closed)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > self._settings.nesting:
            raise too_many("parts in each other", self._settings.nesting, "nesting")


def _gap(rest: bytes) -> int:
    """How long the empty line is behind a header."""
    return 2 * (rest[:2] == b"\r\n")


def _next(lines: bytes, at: int) -> int:
    """Where the next line begins that may be a delimiter; -1 if there is none."""
    found = lines.find(b"\r\n--", at)
    return found + 2 if found >= 0 else -1

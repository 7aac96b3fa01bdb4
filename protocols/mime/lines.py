"""
The content of a message as lines that nobody can misread.

RFC 5321, section 2.3.8: a line ends in CRLF and in nothing else. Servers
disagree about what else they take for an end of line, and so about where a
message ends: that is how a second message is smuggled behind the first one
(CVE-2023-51764, -51765, -51766). Here, only CRLF dot CRLF ends a message, and what
leaves has no CR and no LF but in CRLF, and no NUL, which some leave out (RFC
5321, section 2.3.1, has 1 to 127): there is nothing to disagree about.

Within the gateway, content comes in blocks: whole lines, each with its CRLF,
without dots that were added for the way. What is wrong with a line matters when
the lines before it have been judged, however they came.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from protocols.mime.unfit import Unfit

BLOCK = 65536
"""Bytes of a block, about."""

WIDTH = 76
"""Characters of a line of base64 that is folded (RFC 2045, section 6.8)."""

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_NOT_SOUND = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*")

END = b".\r\n"
"""What follows the last block."""


@frozen
class Rules:
    """
    What lines may be.

    @ivar repair: whether a lone CR or LF becomes a CRLF, and NULs are left out.
    @ivar limit: bytes of a line, CRLF not counted.
    @ivar folds: whether a longer line may be cut at this place, as it is base64, in
        which that changes nothing.
    """

    repair: bool
    limit: int
    folds: Callable[[], bool] = lambda: False


def sound(lines: bytes) -> bool:
    """Whether there is no CR and no LF but in CRLF, and no NUL."""
    return lines.count(b"\r\n") == lines.count(b"\n") == lines.count(b"\r") and b"\0" not in lines


def repaired(lines: bytes) -> bytes:
    """With every CR and LF made a CRLF, and without NULs."""
    return _LONE.sub(b"\r\n", lines).replace(b"\0", b"")


def bare_newline() -> Unfit:
    """A lone CR or LF, or a NUL, which is not to be repaired."""
    return Unfit("a message with a lone CR or LF, or a NUL", "bare_newline")


def long_line(limit: int) -> Unfit:
    """A line of more than C{limit} bytes."""
    return Unfit(f"a line of more than {limit} bytes in a message", "line_bytes")


def good(lines: bytes, rules: Rules) -> int:
    """
    How many bytes of whole lines are as they may be; the line behind them is not.

    @param lines: whole lines, each with a LF at its end.
    """
    end = _short(lines, rules.limit)
    if not rules.repair and not sound(lines):
        found = _NOT_SOUND.search(lines, 0, end)
        if found is not None:
            return lines.rfind(b"\n", 0, found.start()) + 1
    return end


def _short(lines: bytes, limit: int) -> int:
    """From line end to line end, as far as a line may be: most lines are passed over."""
    at, end = 0, len(lines)
    while at < end:
        begin, at = at, lines.rfind(b"\n", at, at + limit + 2) + 1
        if not at:
            return begin
    return end


class Fold:
    """One line of base64 that is too long, on lines of the usual length."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, text: bytes) -> bytes:
        """
        A piece of the line.

        @raise Unfit: it is not base64.
        """
        if not _BASE64.fullmatch(text):
            raise long_line(self._limit)
        text = self._rest + text
        most = len(text) // WIDTH * WIDTH
        self._rest = text[most:]
        return b"".join(text[at : at + WIDTH] + b"\r\n" for at in range(0, most, WIDTH))

    def end(self) -> bytes:
        """What is left of the line."""
        rest, self._rest = self._rest, b""
        return rest + b"\r\n" if rest else b""


class Whole:
    """
    Makes whole lines of content that comes in pieces, cut anywhere: of chunks
    (RFC 3030), and of what a stacked inspector makes of a message.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._fold: Fold | None = None
        self._rest = b""
        self._came = b""

    def feed(self, data: bytes) -> None:
        """Some bytes have come."""
        self._came += data

    def block(self) -> bytes:
        """
        Lines that are complete; empty if there are none. What the rules say of
        the next ones may depend on what becomes of these.

        @raise Unfit: a line is too long, or has a lone CR or LF, or a NUL.
        """
        if self._fold is not None:
            out = self._folded(self._fold)
            if out or self._fold is not None:
                return out
        data, self._came = self._rest + self._came, b""
        whole = data.rfind(b"\n") + 1
        end = good(data[:whole], self._rules) if whole else 0
        self._rest, self._came = (b"", data[end:]) if end < whole else (data[whole:], b"")
        if end:
            return self._sound(data[:end])
        if self._came or len(self._rest) > self._rules.limit + 1:
            return self._bad()
        return b""

    def _bad(self) -> bytes:
        """The next line is none that may be."""
        line, self._rest = self._rest + self._came, b""
        end = line.find(b"\n") + 1 or len(line)
        self._came = line
        if end <= self._rules.limit + 2 and line[:end].endswith(b"\n"):
            raise bare_newline()
        if not self._rules.folds():
            raise long_line(self._rules.limit)
        self._fold = Fold(self._rules.limit)
        return self._folded(self._fold)

    def _folded(self, fold: Fold) -> bytes:
        """More of a line that is folded; what comes behind it is for the next call."""
        text, newline, rest = self._came.partition(b"\n")
        self._came = rest
        out = fold.feed(text.removesuffix(b"\r") if newline else text.replace(b"\r", b""))
        if newline:
            self._fold = None
            out += fold.end()
        return out

    def end(self) -> bytes:
        """The last line, with its CRLF, if there is one without."""
        fold, self._fold = self._fold, None
        if fold is not None:
            return fold.end()
        rest, self._rest = self._rest, b""
        return self._sound(rest.removesuffix(b"\r") + b"\r\n") if rest else b""

    def _sound(self, lines: bytes) -> bytes:
        if sound(lines):
            return lines
        if not self._rules.repair:
            raise bare_newline()
        return repaired(lines)


def stuffed(block: bytes) -> bytes:
    """A block as it follows DATA: a dot before every dot that begins a line (section 4.5.2)."""
    if block[:1] == b".":
        block = b"." + block
    return block.replace(b"\r\n.", b"\r\n..")

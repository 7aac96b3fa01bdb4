"""
The content of a message as lines that nobody can misread.

RFC 5321, section 2.3.8: a line ends in CRLF and in nothing else. Servers
disagree about what else they take for an end of line, and so about where a
message ends: that is how a second message is smuggled behind the first one
(CVE-2023-51764, -51765, -51766). Here, only CRLF dot CRLF ends a message, and what
leaves has no CR and no LF but in CRLF, and no NUL, which some leave out (RFC
5321, section 2.3.1, has 1 to 127): there is nothing to disagree about.

Within the gateway, content comes in blocks: whole lines, each with its CRLF,
without dots that were added for the way.
"""

from __future__ import annotations

import re

from protocols.smtp.grammar.refusal import Refusal, refusal

BLOCK = 65536
"""Bytes of a block, about."""

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")

END = b".\r\n"
"""What follows the last block."""


def sound(lines: bytes) -> bool:
    """Whether there is no CR and no LF but in CRLF, and no NUL."""
    return lines.count(b"\r\n") == lines.count(b"\n") == lines.count(b"\r") and b"\0" not in lines


def repaired(lines: bytes) -> bytes:
    """With every CR and LF made a CRLF, and without NULs."""
    return _LONE.sub(b"\r\n", lines).replace(b"\0", b"")


def bare_newline() -> Refusal:
    """
    A lone CR or LF, or a NUL, which is not to be repaired. Postfix has the same
    words for it (5.6.11 is registered for bare newlines).
    """
    reason = "a message with a lone CR or LF, or a NUL"
    return refusal(550, "5.6.11 The message has a lone CR or LF, or a NUL", reason, "bare_newline")


def long_line(limit: int) -> Refusal:
    """A line of more than C{limit} bytes."""
    reason = f"a line of more than {limit} bytes in a message"
    return refusal(554, "5.6.0 A line of the message is too long", reason, "line_bytes")


def check_lengths(lines: bytes, limit: int) -> None:
    """
    From line end to line end, as far as a line may be: most lines are passed over.

    @param lines: whole lines.
    @param limit: bytes of a line, CRLF not counted.
    @raise Refusal: one is longer.
    """
    at, end = 0, len(lines)
    while at < end:
        at = lines.rfind(b"\n", at, at + limit + 2) + 1
        if not at:
            raise long_line(limit)


class Whole:
    """
    Makes whole lines of content that comes in pieces, cut anywhere: of chunks
    (RFC 3030), and of what a stacked inspector makes of a message.
    """

    def __init__(self, repair: bool, limit: int) -> None:
        self._repair = repair
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """
        The lines that are complete now.

        @raise Refusal: a line is too long, or has a lone CR or LF, or a NUL.
        """
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        self._rest = data[cut:]
        if len(self._rest) > self._limit + 1:
            raise long_line(self._limit)
        return self._lines(data[:cut])

    def end(self) -> bytes:
        """The last line, with its CRLF, if there is one without."""
        rest, self._rest = self._rest, b""
        return self._lines(rest.removesuffix(b"\r") + b"\r\n") if rest else b""

    def _lines(self, lines: bytes) -> bytes:
        if not sound(lines):
            if not self._repair:
                raise bare_newline()
            lines = repaired(lines)
        check_lengths(lines, self._limit)
        return lines


def stuffed(block: bytes) -> bytes:
    """A block as it follows DATA: a dot before every dot that begins a line (section 4.5.2)."""
    if block[:1] == b".":
        block = b"." + block
    return block.replace(b"\r\n.", b"\r\n..")

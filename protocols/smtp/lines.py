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
from typing import Protocol

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.smtp.reply import Reply

BLOCK = 65536
"""Bytes of a block, about."""

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_WRONG = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")

BARE = Reply.of(550, "5.6.11 The message has a lone CR or LF, or a NUL")
"""Postfix has the same words for it (5.6.11 is registered for bare newlines)."""

LONG = Reply.of(554, "5.6.0 A line of the message is too long")

GREEDY = 4
"""After a refusal, so many times the limit is still read, so that the client hears of it."""


class Source(Protocol):
    """Where content comes from."""

    async def block(self) -> bytes:
        """The next block; empty at the end."""


class Dotted:
    """
    Reads what follows DATA (section 4.5.2), up to the line with the dot.

    @ivar size: bytes of content so far.
    """

    def __init__(self, read: Reader, repair: bool, limit: int) -> None:
        self.size = 0
        self._read = read
        self._repair = repair
        self._limit = limit
        self._clean = True  # the line before ended in CRLF, as the line "DATA" did
        self._over = False

    async def block(self) -> bytes:
        """
        The next block; empty at the end.

        @raise Denied: a line is too long, has a lone CR or LF or a NUL (unless
            they are repaired), or the client has gone.
        """
        lines: list[bytes] = []
        size = 0
        while not self._over:
            line = await self._line()
            if line is None:
                self._over = True
                break
            lines.append(line)
            size += len(line)
            if size >= BLOCK or self._read.empty:
                break
        self.size += size
        return b"".join(lines)

    async def _line(self) -> bytes | None:
        """The next line with its CRLF, without a dot that was added; L{None} at the end."""
        line = await self._until_newline()
        clean = line[-1:] == b"\r"
        text = line[:-1] if clean else line
        if self._clean and text[:1] == b".":
            if clean and len(text) == 1:
                return None
            text = text[1:]
        self._clean = clean
        if not clean or b"\r" in text or b"\0" in text:
            text = self._repaired(text)
        return text + b"\r\n"

    async def _until_newline(self) -> bytes:
        try:
            return await self._read.until(b"\n", self._limit + 1)
        except Denied as denied:
            if self._read.ended:
                raise
            raise Denied(denied.reason, LONG.data()) from None

    def _repaired(self, text: bytes) -> bytes:
        if not self._repair:
            raise bare_newline()
        return text.replace(b"\r", b"\r\n").replace(b"\0", b"")


def bare_newline() -> Denied:
    """What happens to a message with a lone CR or LF, or a NUL, unless they are repaired."""
    return Denied("a message with a lone CR or LF, or a NUL (setting 'bare_newline')", BARE.data())


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

        @raise Denied: a line is too long, or has a lone CR or LF, or a NUL.
        """
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        self._rest = data[cut:]
        self._check_length(self._rest)
        return self._lines(data[:cut])

    def end(self) -> bytes:
        """The last line, with its CRLF, if there is one without."""
        rest, self._rest = self._rest, b""
        return self._lines(rest.removesuffix(b"\r") + b"\r\n") if rest else b""

    def _lines(self, data: bytes) -> bytes:
        if _WRONG.search(data):
            if not self._repair:
                raise bare_newline()
            data = _LONE.sub(b"\r\n", data).replace(b"\0", b"")
        for line in data.split(b"\r\n") if len(data) > self._limit else ():
            self._check_length(line)
        return data

    def _check_length(self, line: bytes) -> None:
        if len(line) > self._limit + 1:
            raise Denied(f"a line of more than {self._limit} bytes in a message", LONG.data())


def stuffed(block: bytes) -> bytes:
    """A block as it follows DATA: a dot before every dot that begins a line (section 4.5.2)."""
    if block[:1] == b".":
        block = b"." + block
    return block.replace(b"\r\n.", b"\r\n..")


END = b".\r\n"
"""What follows the last block."""

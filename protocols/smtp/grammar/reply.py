"""
Replies (RFC 5321, section 4.2): a code, and one or more lines of text.

::

    250-mail.example\r\n      ->   Reply(250, ("mail.example", "SIZE 1000"))
    250 SIZE 1000\r\n
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from gateway.interfaces import Denied

if TYPE_CHECKING:
    from gateway.inspector import Reader

LINE_BYTES = 4096
"""
Bytes of a line that are read; the rest of it is left out. The RFC says 512; Postfix
reads 2048, and banners are longer.
"""

LINES = 128
"""
Lines of a reply that are passed on; of others, the last one. (curl and Postfix set no
such limit; 128 is what nobody's HELP has.)
"""

MOST = 8 * LINES
"""Lines, or so many times L{LINE_BYTES}, of which a reply may consist at all."""

# Section 4.2: what comes after the code is a space, a hyphen for "more lines follow", or nothing.
# A client has to go by the digits, and the first of them alone may be enough.
_LINE = re.compile(r"(?P<code>[2-5][0-9][0-9])(?![0-9])(?P<more>-)?[ \t]?(?P<text>.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# RFC 2034, section 4: class, subject and detail, the class being the code's first digit.
_STATUS = re.compile(r"([245])\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)")


@frozen
class Reply:
    """
    One reply.

    @ivar lines: the texts, at least one, each possibly empty.
    """

    code: int
    lines: tuple[str, ...]

    @classmethod
    def of(cls, code: int, *lines: str) -> Reply:
        """A reply with these lines."""
        return cls(code, lines)

    @classmethod
    async def read(cls, read: Reader) -> Reply:
        """
        Read one reply. What is strange in its text is put right or left out, as
        the mail that it is about may have been taken.

        @raise Denied: it is none, has no end, or its lines contradict each other.
        """
        lines: list[str] = []
        code, more, count = 0, True, 0
        while more:
            found = _parsed(await _line(read))
            if lines and found["code"][0] != str(code)[0]:
                raise Denied(f"the server changed its mind within a reply: {code}, {found['code']}")
            code, more, count = int(found["code"]), found["more"] is not None, count + 1
            if count > MOST:
                raise Denied(f"the server sent a reply of more than {MOST} lines")
            lines[LINES - 1 :] = [_CONTROL.sub(" ", found["text"]).rstrip(" ")]
        return cls(code, tuple(lines))

    @property
    def done(self) -> bool:
        """Whether the command was done (section 4.2.1: the first digit says so)."""
        return self.code < 300

    @property
    def goes_on(self) -> bool:
        """Whether the server waits for more."""
        return 300 <= self.code < 400

    @property
    def positive(self) -> bool:
        """Whether the command was done (2xx) or may go on (3xx)."""
        return self.code < 400

    @property
    def text(self) -> str:
        """On one line, for the audit record."""
        return f"{self.code} {' '.join(self.lines)}".rstrip()

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463) in the last line; empty if there is none."""
        found = _STATUS.match(self.lines[-1])
        return found[0] if found and found[1] == str(self.code)[0] else ""

    def data(self) -> bytes:
        """As it is sent."""
        last = len(self.lines) - 1
        return "".join(
            f"{self.code}{' ' if at == last else '-'}{text}\r\n"
            for at, text in enumerate(self.lines)
        ).encode("utf-8", "surrogateescape")


async def _line(read: Reader) -> bytes:
    """A line without what ends it, were it a lone LF. No more of it than L{LINE_BYTES}."""
    line, count = b"", 0
    while True:
        try:
            rest = await read.until(b"\n", LINE_BYTES)
        except Denied:
            if read.ended or count > MOST:
                raise
            rest = await read.exactly(LINE_BYTES, LINE_BYTES)
            line, count = line or rest, count + 1
            continue
        return (line or rest).removesuffix(b"\r")


def _parsed(line: bytes) -> re.Match[str]:
    found = _LINE.fullmatch(line.decode("utf-8", "surrogateescape"))
    if found is None:
        raise Denied(f"the server sent {line[:100]!r}, which is no reply")
    return found


def configured(text: str) -> Reply:
    """
    A reply as the operator writes it: C{"550 5.7.1 Not here"}. Refusals only.

    @raise ValueError: it is none.
    """
    found = re.fullmatch(r"([45][0-5][0-9]) ([ -~]{1,400})", text)
    if found is None:
        raise ValueError(f'{text!r} is no refusal: write it like "550 5.7.1 Not accepted here"')
    return Reply.of(int(found[1]), found[2])


DISCARDED = Reply.of(250, "2.0.0 Ok")
"""What a client hears of a message that nobody will get."""

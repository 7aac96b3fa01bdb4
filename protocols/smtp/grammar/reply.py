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
"""The longest line of a reply. The RFC says 512; Postfix reads 2048, and banners are longer."""

LINES = 128
"""The most lines of a reply (curl and Postfix set no such limit; 128 is what nobody's HELP has)."""

# Section 4.2: what comes after the code is a space, a hyphen for "more lines follow", or nothing.
_LINE = re.compile(
    r"(?P<code>[2-5][0-9][0-9])(?:(?P<mark>[ -])(?P<text>[^\x00-\x08\x0a-\x1f\x7f]*))?"
)

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
        Read one reply.

        @raise Denied: it is none, or its lines contradict each other.
        """
        code, more = 0, True
        lines: list[str] = []
        while more:
            found = _parsed(await read.line(LINE_BYTES))
            if lines and found["code"] != str(code):
                raise Denied(f"the server changed its mind within a reply: {code}, {found['code']}")
            if len(lines) == LINES:
                raise Denied(f"the server sent a reply of more than {LINES} lines")
            code, more = int(found["code"]), found["mark"] == "-"
            lines.append(found["text"] or "")
        return cls(code, tuple(lines))

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

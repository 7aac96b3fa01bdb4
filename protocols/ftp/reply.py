"""A Reply: what the server answers (RFC 959, section 4.2), on one line or several."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from gateway.inspector import Reader
from gateway.interfaces import Denied

# A class of 6 would be a protected reply (RFC 2228): nobody has agreed on protection.
_FIRST = re.compile(rb"([1-5][0-5][0-9])(?:([ -])(.*))?", re.DOTALL)
_NUMBER = re.compile(rb"[0-9]{3}")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f\xff]")


@frozen
class Reply:
    """
    What a server answers.

    @ivar code: three digits.
    @ivar text: of one line; the byte that is Telnet's IAC is single here.
    @ivar before: the lines before the last one, without number on the first.
        None of those that follow can be taken for a reply of its own.
    """

    code: int
    text: bytes
    before: tuple[bytes, ...] = ()

    @property
    def preliminary(self) -> bool:
        """Whether another reply follows: 1yz."""
        return self.code < 200

    @property
    def completed(self) -> bool:
        """Whether the server did it: 2yz."""
        return 200 <= self.code < 300

    @property
    def intermediate(self) -> bool:
        """Whether the server wants another command to go with it: 3yz."""
        return 300 <= self.code < 400

    def stripped(self) -> Reply:
        """Without its texts."""
        return Reply(self.code, b"")

    def lines(self) -> Iterator[bytes]:
        """As they are sent, without CRLF."""
        if self.before:
            yield b"%d-%s" % (self.code, self.before[0])
            yield from self.before[1:]
        yield b"%d %s" % (self.code, self.text)

    def written(self) -> bytes:
        """The reply as it is sent."""
        return b"".join(line.replace(b"\xff", b"\xff\xff") + b"\r\n" for line in self.lines())

    @classmethod
    async def read(cls, read: Reader, line_bytes: int, reply_bytes: int) -> Reply:
        """
        Read a reply.

        @param line_bytes: of each line, at most.
        @param reply_bytes: of all its lines together, at most.
        @raise Denied: it is none, or too long.
        """
        found = _FIRST.fullmatch(await read.line(line_bytes))
        if found is None:
            raise Denied("the server sent what is no reply")
        code, text = found[1], _plain(found[3] or b"")
        if found[2] != b"-":
            return cls(int(code), text)
        before, left = [text], reply_bytes - len(text)
        while True:
            line = _plain(await read.line(line_bytes))
            left -= len(line) + 1
            if left < 0:
                raise Denied(f"the server sent a reply of more than {reply_bytes} bytes")
            if line == code or line.startswith(code + b" "):
                return cls(int(code), line[4:], tuple(before))
            before.append(_inner(line, code))


def _plain(line: bytes) -> bytes:
    """Without what drives a terminal, or Telnet; its IAC, doubled, is a byte as any other."""
    return b"\xff".join(_CONTROL.sub(b"?", part) for part in line.split(b"\xff\xff"))


def _inner(line: bytes, code: bytes) -> bytes:
    """
    A line in the middle, so that nobody takes it for the last one, or for a
    reply of its own: a number at its beginning is indented, as the RFC wants it.
    """
    if _NUMBER.match(line) and not line.startswith(code + b"-"):
        return b" " + line
    return line

"""
Tokens: what a side says, piece by piece (RFC 854, "Structure"; RFC 855).

A piece of text is as long as what has come of it; all others are whole.
"""

from __future__ import annotations

from attrs import frozen

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.telnet.numbers import ALONE, NEGOTIATION, Code

_IAC = bytes((Code.IAC,))


@frozen
class Text:
    """What is typed and shown. A byte of 255 is one byte here."""

    data: bytes

    def written(self) -> bytes:
        """As it is sent."""
        return self.data.replace(_IAC, _IAC * 2)


@frozen
class Command:
    """A command that is complete by itself."""

    code: int

    def written(self) -> bytes:
        """As it is sent."""
        return bytes((Code.IAC, self.code))


@frozen
class Negotiation:
    """WILL, WONT, DO or DONT."""

    code: int
    option: int

    def written(self) -> bytes:
        """As it is sent."""
        return bytes((Code.IAC, self.code, self.option))


@frozen
class About:
    """What is said about an option that both have (a subnegotiation)."""

    option: int
    content: bytes

    def written(self) -> bytes:
        """As it is sent."""
        begin, end = bytes((Code.IAC, Code.SB, self.option)), bytes((Code.IAC, Code.SE))
        return begin + self.content.replace(_IAC, _IAC * 2) + end


Token = Text | Command | Negotiation | About


async def next_token(read: Reader, limit: int) -> Token:
    """
    The next piece.

    @param limit: bytes of what is said about an option.
    @raise Denied: it is none.
    """
    at = read.find(_IAC)
    if at != 0 and not read.empty:
        return Text(await read.some(at if at > 0 else None))
    code = (await read.exactly(2, 2))[1]
    if code == Code.IAC:
        return Text(_IAC)
    if code in NEGOTIATION:
        return Negotiation(code, (await read.exactly(1, 1))[0])
    if code == Code.SB:
        return About((await read.exactly(1, 1))[0], await _content(read, limit))
    if code in ALONE:
        return Command(code)
    raise Denied(f"the {read.side.value} sent IAC {code}")


async def _content(read: Reader, limit: int) -> bytes:
    """All up to IAC SE, with single bytes of 255."""
    content = b""
    while True:
        content += await read.until(_IAC, limit - len(content))
        code = (await read.exactly(1, 1))[0]
        if code == Code.SE:
            return content
        if code != Code.IAC or len(content) >= limit:
            raise Denied(f"the {read.side.value} sent IAC {code} inside of a subnegotiation")
        content += _IAC

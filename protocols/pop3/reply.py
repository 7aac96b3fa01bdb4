"""A Reply: what the server answers (RFC 1939, section 3; RFC 5034, section 4)."""

from __future__ import annotations

import re

from attrs import frozen

from gateway.inspector import Reader
from gateway.interfaces import Denied

_STATUS = re.compile(rb"(\+OK|-ERR)(?: (.*))?", re.DOTALL)
_CHALLENGE = re.compile(rb"\+(?: ([A-Za-z0-9+/]*={0,2}))?")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


@frozen
class Reply:
    """
    What a server answers, on one line.

    @ivar positive: whether the server did it.
    @ivar text: behind the status.
    @ivar challenge: it is neither yes nor no, but wants to hear more (SASL).
    """

    positive: bool
    text: bytes = b""
    challenge: bool = False

    @property
    def status(self) -> str:
        """The word that it begins with, without its sign."""
        return "OK" if self.positive else "ERR"

    def written(self) -> bytes:
        """As it is sent."""
        if self.challenge:
            return b"+ " + self.text + b"\r\n"
        status = b"+OK" if self.positive else b"-ERR"
        return (status + b" " + self.text if self.text else status) + b"\r\n"

    @classmethod
    async def read(cls, read: Reader, limit: int, challenges: bool = False) -> Reply:
        """
        Read a reply.

        @param limit: bytes of it.
        @param challenges: whether it may be one.
        @raise Denied: it is none, or too long.
        """
        line = await read.line(limit)
        found = _STATUS.fullmatch(line)
        if found is not None:
            return cls(found[1] == b"+OK", plain(found[2] or b""))
        challenge = _CHALLENGE.fullmatch(line) if challenges else None
        if challenge is None:
            raise Denied("the server sent what is no reply")
        return cls(True, challenge[1] or b"", challenge=True)


def plain(text: bytes) -> bytes:
    """Without what drives a terminal."""
    return _CONTROL.sub(b"?", text)

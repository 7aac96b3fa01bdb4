"""
Messages, and what has to come of them.

The corpus is of techniques that were published: request smuggling (Watchfire 2005; Kettle,
"HTTP Desync Attacks", 2019, "HTTP/2: The Sequel is Always Worse", 2021, "Browser-Powered Desync
Attacks", 2022, "HTTP/1.1 Must Die", 2025), Emil Lerner's and Jeppe Weikop's chunk and trailer
tricks ("TERM.EXT", "EXT.TERM", "EXT.SPILL", 2025), header injection; of what the test tables of
other people's parsers think of (llhttp, gunicorn, h11); and of what real programs send.
"""

from __future__ import annotations

from attrs import frozen

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
"""What an attacker wants to get through, as a request that nobody has seen."""


@frozen
class Refused:
    """
    One message that must not pass.

    @ivar marked: it, with a "^" before the offending bytes; without if it is not about a place.
    @ivar status: of the answer to the client.
    @ivar reason: a part of it.
    """

    name: str
    marked: bytes
    status: int
    reason: str

    @property
    def data(self) -> bytes:
        """The message."""
        return self.marked.replace(b"^", b"", 1)

    @property
    def offset(self) -> int | None:
        """Where the record says that the offending bytes are."""
        at = self.marked.find(b"^")
        return None if at < 0 else at


@frozen
class Accepted:
    """
    Messages that must pass.

    @ivar data: as they come.
    @ivar sent: as they go on; L{None}: as they came.
    """

    name: str
    data: bytes
    sent: bytes | None = None

    @property
    def passed(self) -> bytes:
        """What the other side gets."""
        return self.data if self.sent is None else self.sent


def heads(status: int, reason: str, *lines: bytes, begin: bytes = GET) -> tuple[Refused, ...]:
    """Requests, each with one wrong header line (or more) behind good ones."""
    return tuple(
        Refused(f"{reason}: {line!r}", begin + line + b"\r\n\r\n", status, reason) for line in lines
    )

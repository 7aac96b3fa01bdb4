"""
Ways: how a message leaves whose body another service may change, so that nobody knows its length
before its end.
"""

from __future__ import annotations

from protocols.http.malformed import Malformed
from protocols.http.message import FRAMING, Headers, Request, Response
from protocols.http.status import CONTENT_TOO_LARGE, FORBIDDEN

_DROPPED = FRAMING | {"trailer"}


def reframed(headers: Headers, chunked: bool) -> Headers:
    """The headers of a message whose body may become another one."""
    kept = headers.only(lambda name: name.lower() not in _DROPPED)
    return kept.replaced("Transfer-Encoding", "chunked") if chunked else kept


class Chunks:
    """In chunks."""

    def __init__(self, message: Request | Response) -> None:
        self._head = message.head()

    def piece(self, data: bytes) -> bytes:
        """See L{Way.piece}."""
        head, self._head = self._head, b""
        return b"%s%x\r\n%s\r\n" % (head, len(data), data)

    def end(self) -> bytes:
        """See L{Way.end}."""
        return self._head + b"0\r\n\r\n"


class UntilClose:
    """As it comes, until the connection closes."""

    def __init__(self, message: Request | Response) -> None:
        self._head = message.head()

    def piece(self, data: bytes) -> bytes:
        """See L{Way.piece}."""
        head, self._head = self._head, b""
        return head + data

    def end(self) -> bytes:
        """See L{Way.end}."""
        return self._head


class Measured:
    """As it comes: so many bytes as were said, as nobody changes it."""

    def __init__(self, message: Request | Response, length: int) -> None:
        self._head = message.head()
        self._left = length

    def piece(self, data: bytes) -> bytes:
        """See L{Way.piece}."""
        self._left -= len(data)
        if self._left < 0:
            raise Malformed("a stacked service has made the body longer", None, FORBIDDEN)
        head, self._head = self._head, b""
        return head + data

    def end(self) -> bytes:
        """See L{Way.end}."""
        if self._left:
            raise Malformed("a stacked service has made the body shorter", None, FORBIDDEN)
        return self._head


class Held:
    """Once all of it is there: a server of HTTP/1.0 has to know the length of a request before."""

    def __init__(self, message: Request | Response, most: int) -> None:
        """@param most: bytes that may be held."""
        self._message = message
        self._most = most
        self._held = bytearray()

    def piece(self, data: bytes) -> bytes:
        """See L{Way.piece}."""
        self._held += data
        if len(self._held) > self._most:
            reason = f"a body of HTTP/1.0 of more than {self._most} bytes"
            raise Malformed(reason, None, CONTENT_TOO_LARGE, by="stack.held_bytes")
        return b""

    def end(self) -> bytes:
        """See L{Way.end}."""
        headers = self._message.headers.replaced("Content-Length", str(len(self._held)))
        return self._message.with_headers(headers).head() + bytes(self._held)

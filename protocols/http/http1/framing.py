"""Framing: which body a message has (RFC 9112, section 6), if there can be no doubt about it."""

from __future__ import annotations

from enum import Enum

from protocols.http.grammar import CONTENT_LENGTH
from protocols.http.malformed import Malformed
from protocols.http.message import Headers, Request, Response
from protocols.http.status import (
    BAD_REQUEST,
    NO_CONTENT,
    NOT_IMPLEMENTED,
    NOT_MODIFIED,
    RESET_CONTENT,
)


class Kind(Enum):
    """How the end of a body is known."""

    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"
    """The end of the connection."""

    __hash__ = object.__hash__


class Framing:
    """
    @ivar length: of a body of kind LENGTH; 0: no body.
    @ivar empty: whether there is no body.
    """

    __slots__ = ("empty", "kind", "length")

    def __init__(self, kind: Kind, length: int = 0) -> None:
        self.kind = kind
        self.length = length
        self.empty = kind is Kind.LENGTH and not length


NONE = Framing(Kind.LENGTH)
CHUNKED = Framing(Kind.CHUNKED)
UNTIL_CLOSE = Framing(Kind.CLOSE)

_WITHOUT_BODY = frozenset({NO_CONTENT, NOT_MODIFIED})

_LOOKALIKES = ("content_length", "transfer_encoding")
"""Applications of the CGI kind (RFC 3875, section 4.1.18) take them for what frames a message."""


def of_request(request: Request) -> Framing:
    """
    The body of a request.

    @raise Malformed: there is doubt.
    """
    headers = request.headers
    for name in _LOOKALIKES:
        if name in headers.first:
            raise Malformed(f"the header {name!r}, with an underscore", headers.place(name))
    if "transfer-encoding" in headers.first:
        return _chunked(headers, request.version)
    return Framing(Kind.LENGTH, length) if (length := _length(headers)) else NONE


def of_response(response: Response) -> Framing:
    """
    The body of a response, by what was asked.

    @raise Malformed: there is doubt.
    """
    headers, status, request = response.headers, response.status, response.request
    coded = "transfer-encoding" in headers.first
    if coded:
        _chunked(headers, response.version)
        if request.version == "1.0":
            raise _coding("Transfer-Encoding in the answer to a request of HTTP/1.0", headers)
    length = None if coded else _length(headers)
    tunnel = request.method == "CONNECT" and status < 300
    if status < 200 or status == NO_CONTENT or tunnel or (status == RESET_CONTENT and length):
        if coded or length:
            place = headers.place("transfer-encoding" if coded else "content-length")
            what = f"a response of status {status} to {request.method}, with a body"
            raise Malformed(what, place)
        return NONE
    if status in _WITHOUT_BODY or request.method == "HEAD":
        return NONE
    if coded:
        return CHUNKED
    return UNTIL_CLOSE if length is None else Framing(Kind.LENGTH, length)


def _chunked(headers: Headers, version: str) -> Framing:
    """RFC 9112, section 6.1, without codings that nobody uses but to confuse."""
    values = headers.every("transfer-encoding")
    if "content-length" in headers.first:
        raise _coding("both Content-Length and Transfer-Encoding", headers)
    if version == "1.0":
        raise _coding("Transfer-Encoding in a message of HTTP/1.0", headers)
    if len(values) > 1:
        raise _coding("several Transfer-Encoding headers", headers, 1)
    if values[0].lower() != "chunked":
        what = f"Transfer-Encoding {values[0][:100]!r}, where only 'chunked' is understood"
        raise _coding(what, headers, status=NOT_IMPLEMENTED)
    return CHUNKED


def _coding(reason: str, headers: Headers, number: int = 0, status: int = BAD_REQUEST) -> Malformed:
    """What is wrong with Transfer-Encoding, and where that is."""
    return Malformed(reason, headers.place("transfer-encoding", number), status)


def _length(headers: Headers) -> int | None:
    value = headers.first.get("content-length")
    if value is None:
        return None
    if headers.repeated and headers.several("content-length"):
        raise Malformed("several Content-Length headers", headers.place("content-length", 1))
    if CONTENT_LENGTH.fullmatch(value) is None:
        reason = f"not a Content-Length: {value[:100]!r}"
        raise Malformed(reason, headers.place("content-length"))
    return int(value)


def said_once(headers: Headers) -> Headers:
    """
    A length that is said several times, each time the same, is said once; for responses, where
    RFC 9110, section 8.6, leaves the choice. Of requests it is refused.
    """
    value = headers.first.get("content-length")
    if value is None or not (headers.repeated or "," in value):
        return headers
    values = [
        each.strip(" \t") for line in headers.every("content-length") for each in line.split(",")
    ]
    first = values[0]
    if len(values) == 1 or values.count(first) < len(values) or not CONTENT_LENGTH.fullmatch(first):
        return headers
    return headers.replaced("Content-Length", first)


def written(headers: Headers) -> Headers:
    """What frames a message, in its plainest form: C{chunked}, and no leading zeros."""
    coding, length = headers.first.get("transfer-encoding"), headers.first.get("content-length")
    if coding is not None and coding != "chunked":
        return headers.replaced("Transfer-Encoding", "chunked")
    if length is not None and length[0] == "0" and len(length) > 1:
        return headers.replaced("Content-Length", str(int(length)))
    return headers

"""Responses that must not reach a client: response splitting, desynchronisation, nonsense."""

from __future__ import annotations

from attrs import frozen

from tests.protocols.http.corpus import GET, Refused

ASKED = GET + b"\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
"""What a server (or who made it say that) wants the client to take for an answer."""


@frozen
class RefusedResponse(Refused):
    """
    One.

    @ivar request: what it answers.
    """

    request: bytes = ASKED


def _bad(name: str, marked: bytes, reason: str, request: bytes = ASKED) -> RefusedResponse:
    return RefusedResponse(name, marked, 502, reason, request)


_OK = b"HTTP/1.1 200 OK\r\n"

RESPONSES = (
    # framing
    _bad(
        "both", _OK + b"Content-Length: 1\r\n^Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "both"
    ),
    _bad(
        "both, TE first", _OK + b"^Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", "both"
    ),
    _bad(
        "both of HEAD",
        _OK + b"Content-Length: 1\r\n^Transfer-Encoding: chunked\r\n\r\n",
        "both",
        HEAD,
    ),
    _bad(
        "both of 304",
        b"HTTP/1.1 304 No\r\nContent-Length: 1\r\n^Transfer-Encoding: chunked\r\n\r\n",
        "both",
    ),
    _bad("two lengths", _OK + b"Content-Length: 1\r\n^Content-Length: 2\r\n\r\na", "several"),
    _bad("a list of lengths", _OK + b"^Content-Length: 1, 2\r\n\r\na", "not a Content-Length"),
    _bad("half a list", _OK + b"^Content-Length: 1,\r\n\r\na", "not a Content-Length"),
    _bad(
        "a length in two ways",
        _OK + b"Content-Length: 1\r\n^Content-Length: 01\r\n\r\na",
        "several",
    ),
    _bad("a negative length", _OK + b"^Content-Length: -1\r\n\r\na", "not a Content-Length"),
    _bad("an empty length", _OK + b"^Content-Length:\r\n\r\na", "not a Content-Length"),
    _bad("a signed length", _OK + b"^Content-Length: +1\r\n\r\na", "not a Content-Length"),
    *(
        _bad(
            f"coding {coding!r}",
            _OK + b"^Transfer-Encoding:" + coding + b"\r\n\r\n",
            "only 'chunked'",
        )
        for coding in (
            b" gzip, chunked",
            b" chunked, gzip",
            b" identity",
            b"",
            b" chunked, chunked",
            b" chunkedchunked",
            b" xchunked",
            b" \x85chunked",
        )
    ),
    _bad(
        "codings",
        _OK + b"Transfer-Encoding: chunked\r\n^Transfer-Encoding: gzip\r\n\r\n",
        "several",
    ),
    _bad("coding of 1.0", b"HTTP/1.0 200 OK\r\n^Transfer-Encoding: chunked\r\n\r\n", "HTTP/1.0"),
    _bad("coding to 1.0", _OK + b"^Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0", OLD),
    _bad(
        "coding behind a space", _OK + b"Transfer-Encoding^ : chunked\r\n\r\n", "before the colon"
    ),
    _bad("length behind a space", _OK + b"Content-Length^ : 1\r\n\r\na", "before the colon"),
    _bad("204 with a length", b"HTTP/1.1 204 No\r\n^Content-Length: 3\r\n\r\n", "with a body"),
    _bad(
        "204 with chunks", b"HTTP/1.1 204 No\r\n^Transfer-Encoding: chunked\r\n\r\n", "with a body"
    ),
    _bad("205 with a length", b"HTTP/1.1 205 No\r\n^Content-Length: 3\r\n\r\nabc", "with a body"),
    _bad(
        "205 with chunks",
        b"HTTP/1.1 205 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "with a body",
    ),
    _bad("205 until close", b"HTTP/1.1 205 No\r\n\r\na", "with a body"),
    _bad(
        "a part of it",
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 1-1/2\r\nContent-Length: 1\r\n\r\na",
        "nobody asked for",
    ),
    # interim responses
    _bad("100 with a length", b"HTTP/1.1 100 Go\r\n^Content-Length: 3\r\n\r\n", "with a body"),
    _bad(
        "102 with chunks", b"HTTP/1.1 102 Go\r\n^Transfer-Encoding: chunked\r\n\r\n", "with a body"
    ),
    _bad("103 with a length", b"HTTP/1.1 103 Early\r\n^Content-Length: 3\r\n\r\n", "with a body"),
    _bad("100 without end", b"HTTP/1.1 100 Continue\r\n\r\n" * 61, "interim"),
    # 101
    _bad(
        "101", b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "no upgrade"
    ),
    _bad("101 without anything", b"HTTP/1.1 101 Go\r\n\r\n", "no upgrade"),
    _bad(
        "101 to h2c",
        b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "no upgrade",
    ),
    _bad("101 with a length", b"HTTP/1.1 101 Go\r\n^Content-Length: 3\r\n\r\n", "with a body"),
    # the first line
    *(
        _bad(f"status line {line!r}", line + b"\r\n\r\n", reason)
        for line, reason in (
            (b"HTTP/1.1 ^OK", "status line"),
            (b"HTTP/1.1 ^099 OK", "status line"),
            (b"HTTP/1.1 20^ OK", "status line"),
            (b"HTTP/1.1 200^0 OK", "status line"),
            (b"HTTP/1.1 2^x0 OK", "status line"),
            (b"HTTP/1.1 ^+20 OK", "status line"),
            (b"HTTP/1.1 ^ 200 OK", "status line"),
            (b"HTTP/1.1^\t200 OK", "status line"),
            (b"HTTP/1.1 200^OK", "status line"),
            (b"HTTP/1.1 200^\tOK", "status line"),
            (b"HTTP/1.1^", "status line"),
            (b"HTTP/1.1^200 OK", "status line"),
            (b"^http/1.1 200 OK", "status line"),
            (b"^ HTTP/1.1 200 OK", "status line"),
            (b"HTTP/1.1^0 200 OK", "status line"),
            (b"HTTP/1^1.1 200 OK", "status line"),
            (b"HTTP/1.^ 200 OK", "status line"),
            (b"^RTSP/1.0 200 OK", "status line"),
            (b"^ICY 200 OK", "status line"),
            (b"^220 smtp.example.com ESMTP", "status line"),
            (b"^<html>hello", "status line"),
            (b"^GET / HTTP/1.1", "status line"),
            (b"HTTP/1.1 200 O^\x00K", "status line"),
            (b"HTTP/1.1 200 O^\x1b[2JK", "status line"),
            (b"HTTP/1.1 200 OK^\rX: y", "status line"),
            (b"^", "status line"),
            (b"HTTP/1.1 200 OK^\nX: y", "bare LF"),
            (b"^HTTP/2.0 200 OK", "HTTP/2.0"),
            (b"^HTTP/1.2 200 OK", "HTTP/1.2"),
            (b"^HTTP/0.9 200 OK", "HTTP/0.9"),
        )
    ),
    # headers, among them what a careless application puts into Location or Set-Cookie
    *(
        _bad(f"header {lines!r}", _OK + lines + b"\r\n\r\n", reason)
        for lines, reason in (
            (b"Location: a^\nSet-Cookie: EVIL", "bare LF"),
            (b"Location: a^\rSet-Cookie: EVIL", "bare CR"),
            (b"Location: a^\n\nEVIL", "bare LF"),
            (b"Location: a^\r\rEVIL", "bare CR"),
            (b"Location: a^\n\r\nEVIL", "bare LF"),
            (b"X: a\r\n^ b", "folded"),
            (b"^ X: a", "folded"),
            (b"X: ^\x00EVIL", "NUL"),
            (b"^:status: 200", "without a name"),
            (b"^EVIL", "without a colon"),
            (b"X^\x7f: EVIL", "wrong character"),
            (b"X : a\r\n^ : b", "folded"),
            (b"X : a\r\nY: ^\x00", "NUL"),
            (b"X : a\r\nContent-Length^\t: 0", "before the colon"),
            (b"^Connection: set-cookie\r\nSet-Cookie: EVIL", "cookie"),
            (b"^Connection: a b", "not a connection option"),
            (b"Content-Length: 0\r\n^Connection: content-length", "content-length"),
        )
    ),
)

_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"

CUT = tuple(
    _bad(f"chunks {body!r}", _CHUNKED + body + EVIL, reason)
    for body, reason in (
        (b"^ 3\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"^3 ;\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"^3 a\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"^0x3\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"^3\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"^3;\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"^\r\n", "size of a chunk"),
        (b"3\r\nabc^X\r\n", "followed by"),
        (b"3\r\nabc^\n0\r\n\r\n", "followed by"),
        (b"0\r\n^Content-Length: 4\r\n\r\n", "not allowed as a trailer"),
        (b"0\r\n^Set-Cookie: a\r\n\r\n", "not allowed as a trailer"),
        (b"0\r\n^ X: a\r\n\r\n", "folded"),
        (b"0\r\n^\n", "bare LF"),
    )
)
"""Those whose head may pass before it is known: the client's connection is cut off."""

EXTRA = tuple(
    RefusedResponse(name, head, 0, "answers no request", request)
    for name, head, request in (
        ("two answers", _OK + b"Content-Length: 1\r\n\r\na", ASKED),
        ("two answers, in chunks", _CHUNKED + b"1\r\na\r\n0\r\n\r\n", ASKED),
        ("a body for HEAD", _OK + b"Content-Length: 4\r\n\r\n", HEAD),
        ("chunks for HEAD", _CHUNKED, HEAD),
        ("a body for 304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", ASKED),
        ("chunks for 304", b"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", ASKED),
        ("a body for 204", b"HTTP/1.1 204 No Content\r\n\r\n", ASKED),
        ("more than the length", _OK + b"Content-Length: 0\r\n\r\n", ASKED),
        (
            "behind 100 and an answer",
            b"HTTP/1.1 100 Go\r\n\r\n" + _OK + b"Content-Length: 0\r\n\r\n",
            ASKED,
        ),
    )
)
"""Good answers, each followed by something that answers nothing: that does not reach the client."""

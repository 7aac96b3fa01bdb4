"""Where a request's body ends: two lengths, none, or one that two readers read differently."""

from __future__ import annotations

from tests.protocols.http.corpus import GET, POST, SMUGGLED, Refused

LENGTHS = (
    Refused(
        "CL.TE",
        POST + b"Content-Length: 6\r\n^Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        400,
        "both",
    ),
    Refused(
        "TE.CL",
        POST
        + b"^Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
        400,
        "both",
    ),
    Refused(
        "TE.CL, any coding",
        POST + b"^Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
        400,
        "both",
    ),
    Refused(
        "TE.0",
        b"OPTIONS / HTTP/1.1\r\nHost: a\r\n^Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"
        b"20\r\n" + SMUGGLED + b"\r\n0\r\n\r\n",
        400,
        "both",
    ),
    *(
        Refused(f"CL.CL: {lines!r}", POST + lines + b"\r\n\r\nabc", 400, "several")
        for lines in (
            b"Content-Length: 3\r\n^Content-Length: 0",
            b"Content-Length: 3\r\n^Content-Length: 3",
            b"Content-Length: 3\r\nX: y\r\n^content-length: 3",
            b"Content-Length: 3\r\n^Content-Length:",
            b"Content-Length:\r\n^Content-Length: 3",
        )
    ),
    *(
        Refused(
            f"CL {value!r}",
            POST + b"^Content-Length:" + value + b"\r\n\r\nabc",
            400,
            "not a Content-Length",
        )
        for value in (
            b" 3, 3",
            b" 3,",
            b" ,3",
            b" +3",
            b" -1",
            b" -0",
            b" 0x3",
            b" 3.0",
            b" 3e0",
            b" 1_0",
            b"",
            b" 1 0",
            b" 0 1",
            b" 3 abc",
            b' "3"',
            b" 3;a=b",
            b" 9999999999999999999",
            b" 18446744073709551619",
            b" 99999999999999999999999999999",
            b" \xb2",
            b" 3\xa0",
            b" \xef\xbc\x93",
            b" three",
        )
    ),
    *(
        Refused(f"0.CL: {lines!r}", POST + lines + b"\r\n\r\n" + SMUGGLED, 400, reason)
        for lines, reason in (
            (b"Content-Length^ : 32", "before the colon"),
            (b"Content-Length^\t: 32", "before the colon"),
            (b"Content-Length:\r\n^ 32", "folded"),
            (b"Content-Length: 3\r\n^ 2", "folded"),
            (b"X: y\r\n^ Content-Length: 32", "folded"),
            (b"^\tContent-Length: 32", "folded"),
            (b"Content-Length: ^\x0b32", "control character"),
            (b"Content-Length: 32^\x00", "NUL"),
            (b"Content-Length^\x00: 32", "NUL"),
            (b"Content^ Length: 32", "wrong character"),
            (b"X: y^\nContent-Length: 32", "bare LF"),
            (b"X: y^\rContent-Length: 32", "bare CR"),
            (b"Content-Length^\xa0: 32", "wrong character"),
            (b"Content-Length^\xc3\x9f: 32", "wrong character"),
            (b"^Content_Length: 32", "underscore"),
        )
    ),
    Refused("CL.0", GET + b"^Content-Length: 32\r\n\r\n" + SMUGGLED, 400, "GET with a body"),
    Refused(
        "CL.0 by HEAD",
        b"HEAD / HTTP/1.1\r\nHost: a\r\n^Content-Length: 32\r\n\r\n" + SMUGGLED,
        400,
        "HEAD with a body",
    ),
    Refused(
        "CL.0 in chunks",
        GET + b"^Transfer-Encoding: chunked\r\n\r\n20\r\n" + SMUGGLED + b"\r\n0\r\n\r\n",
        400,
        "GET with a body",
    ),
    Refused(
        "hop-by-hop Content-Length",
        POST + b"Content-Length: 3\r\n^Connection: Content-Length\r\n\r\nabc",
        400,
        "content-length",
    ),
    Refused(
        "hop-by-hop Transfer-Encoding",
        POST + b"Transfer-Encoding: chunked\r\n^Connection: transfer-encoding\r\n\r\n0\r\n\r\n",
        400,
        "transfer-encoding",
    ),
)

CODINGS = tuple(
    Refused(f"TE.TE {line!r}", POST + line + b"\r\n\r\n0\r\n\r\n" + SMUGGLED, status, reason)
    for line, status, reason in (
        *(
            (b"^Transfer-Encoding:" + value, 501, "only 'chunked'")
            for value in (
                b" xchunked",
                b" chunkedchunked",
                b" chunked, chunked",
                b" identity",
                b" identity, chunked",
                b" gzip, chunked",
                b" chunked, identity",
                b" chunked, gzip",
                b" ,chunked",
                b" chunked,",
                b" chunked;q=1",
                b" chunked; a",
                b' "chunked"',
                b" 'chunked'",
                b"",
                b" \xa0chunked",
                b" chunked\x85",
                b" chunked\xa0",
                b" chun\xe7ked",
                b" chun\xc5\xbfked",
                b" ch\xc4\xb1unked",
                b" trailers",
                b" [chunked]",
                b" chunk",
                b" cow, chunked",
            )
        ),
        (b"Transfer-Encoding^ : chunked", 400, "before the colon"),
        (b"Transfer-Encoding^\t: chunked", 400, "before the colon"),
        (b"Transfer-Encoding: chunked\r\n^Transfer-Encoding: x", 400, "several"),
        (b"Transfer-Encoding: x\r\n^Transfer-Encoding: chunked", 400, "several"),
        (b"Transfer-Encoding: chunked\r\n^transfer-encoding: chunked", 400, "several"),
        (b"Transfer-Encoding:\r\n^Transfer-Encoding: chunked", 400, "several"),
        (b"^ Transfer-Encoding: chunked", 400, "folded"),
        (b"X: x\r\n^\tTransfer-Encoding: chunked", 400, "folded"),
        (b"Transfer-Encoding:\r\n^ chunked", 400, "folded"),
        (b"Transfer-Encoding: chunked\r\n^ , identity", 400, "folded"),
        (b"^Transfer-Encoding\r\n: chunked", 400, "colon"),
        (b"X: x^\nTransfer-Encoding: chunked", 400, "bare LF"),
        (b"X: x^\rTransfer-Encoding: chunked", 400, "bare CR"),
        (b"X: x^\r\rTransfer-Encoding: chunked", 400, "bare CR"),
        (b"Transfer-Encoding: chunked^\r", 400, "bare CR"),
        (b"Transfer-Encoding: chun^\nked", 400, "bare LF"),
        (b"Transfer-Encoding:^\x0bchunked", 400, "control character"),
        (b"Transfer-Encoding: ^\x00chunked", 400, "NUL"),
        (b"Transfer-Encoding: chunked^\x0c", 400, "control character"),
        (b"Transfer-Encoding: chunked^\x1f", 400, "control character"),
        (b"Transfer^\x00-Encoding: chunked", 400, "NUL"),
        (b"Transfer-^\xe9ncoding: chunked", 400, "wrong character"),
        (b"Transfer^ Encoding: chunked", 400, "wrong character"),
        (b'^"Transfer-Encoding": chunked', 400, "wrong character"),
        (b"^Transfer-Encoding", 400, "without a colon"),
        (b"^: chunked", 400, "without a name"),
        (b"Foo: bar\r\n^:Transfer-Encoding: chunked", 400, "without a name"),
        (b"^Transfer_Encoding: chunked", 400, "underscore"),
        (b"^transfer_encoding: x", 400, "underscore"),
    )
)

_EXPECTING = POST + b"Content-Length: 32\r\n"

EXPECTATIONS = (
    Refused(
        "0.CL by an obfuscated Expect", _EXPECTING + b"^Expect: y 100-continue\r\n\r\n", 417, "100"
    ),
    Refused("Expect in a list", _EXPECTING + b"^Expect: 100-continue, x\r\n\r\n", 417, "100-"),
    Refused(
        "Expect with a parameter", _EXPECTING + b"^Expect: 100-continue;a\r\n\r\n", 417, "100-"
    ),
    Refused("two Expects", _EXPECTING + b"Expect: 100-continue\r\n^Expect: x\r\n\r\n", 417, "100-"),
    Refused(
        "Expect twice",
        _EXPECTING + b"Expect: 100-continue\r\n^expect: 100-continue\r\n\r\n",
        417,
        "100-",
    ),
    Refused("empty Expect", _EXPECTING + b"^Expect:\r\n\r\n", 417, "100-"),
    Refused("Expect, folded", _EXPECTING + b"Expect:\r\n^ 100-continue\r\n\r\n", 400, "folded"),
    Refused(
        "hop-by-hop Expect",
        _EXPECTING + b"Expect: 100-continue\r\n^Connection: expect\r\n\r\n",
        400,
        "'expect'",
    ),
)

VERSIONS = (
    Refused(
        "chunked of 1.0",
        b"POST / HTTP/1.0\r\nHost: a\r\n^Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "HTTP/1.0",
    ),
    Refused(
        "chunked of 1.0, kept alive",
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\n"
        b"^Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "HTTP/1.0",
    ),
)

"""Chunks, extensions and trailers: what one reader takes for data, and another for framing."""

from __future__ import annotations

from tests.protocols.http.corpus import CHUNKED, SMUGGLED, Refused

END = b"\r\n0\r\n\r\n"

CHUNKS = tuple(
    Refused(f"chunks {body!r}", CHUNKED + body, 400, reason)
    for body, reason in (
        *(
            (b"^" + size + b"\r\nabc" + END, "size of a chunk")
            for size in (
                b"0x3",
                b"0X3",
                b"+3",
                b"-3",
                b" 3",
                b"\t3",
                b"3 ",
                b"3\t",
                b"3 \t ",
                b"3_0",
                b"",
                b"g",
                b"3h",
                b"3.0",
                b"3,",
                b"3\x00",
                b"\x003",
                b"\xef\xbc\x93",
                b"3\xa0",
                b"ffffffffffffffff3",
                b"10000000000000003",
                b"00000000000000003",
                b'"3"',
                b"\r3",
                b"3\r",
            )
        ),
        # extensions: TERM.EXT and EXT.TERM take a bare LF or CR for the end of the line, or not
        *(
            (b"^" + line + b"\r\nabc" + END, "size of a chunk")
            for line in (
                b"3;\nx",
                b"3;a\nb",
                b"3\n;a",
                b"3;a\rb",
                b"3;\rx",
                b"3\r;a",
                b"3;a=\n",
                b'3;a="\n"',
                b'3;a="\r"',
                b'3;a="\\\n"',
                b"3;a=\x00",
                b"3;a=\x7f",
                b"3;",
                b"3;;",
                b"3;a;",
                b"3;a=",
                b"3;=b",
                b"3;a b",
                b"3 ;a=b",
                b"3; a=b",
                b"3;a =b",
                b"3;a= b",
                b'3;a="b',
                b'3;a=b"',
                b'3;a="b"c',
                b"3;\xe9",
                b"3 a",
                b"3x",
                b";a=b",
                b" ;a=b",
            )
        ),
        (b"^3;" + b"a" * 300 + b"\r\nabc" + END, "more than 256"),
        (b"^" + b"0" * 300 + b"3\r\nabc" + END, "more than 256"),
        (b"^3\nabc" + END, "size of a chunk"),
        (b"^3x\nabc" + END, "size of a chunk"),
        (b"^3;x\nabc" + END, "size of a chunk"),
        # SPILL: what is behind a chunk is not looked at by everybody
        (b"3\r\nabc^X\r\n0\r\n\r\n", "followed by"),
        (b"3\r\nabc^\n0\r\n\r\n", "followed by"),
        (b"3\r\nabc^\r0\r\n\r\n", "followed by"),
        (b"3\r\nabc^X\n0\r\n\r\n", "followed by"),
        (b"3\r\nabc^\n\r\n0\r\n\r\n", "followed by"),
        (b"3\r\nabc^XX0\r\n\r\n", "followed by"),
        (b"3\r\nabc^de0\r\n\r\n", "followed by"),
        (b"3\r\nabc^0\r\n\r\n", "followed by"),
        (b"3\r\nabc^;x\r\n0\r\n\r\n", "followed by"),
        (b"2;a\r\nxx^3a\r\n0\r\n\r\n" + SMUGGLED, "followed by"),
        (b"3\r\nabc\r\n^\r\n0\r\n\r\n", "size of a chunk"),
        # the last one
        (b"3\r\nabc\r\n^0;\r\n\r\n", "size of a chunk"),
        (b"3\r\nabc\r\n^0 \r\n\r\n", "size of a chunk"),
        (b"3\r\nabc\r\n^-0\r\n\r\n", "size of a chunk"),
        (b"3\r\nabc\r\n^0\n\n", "size of a chunk"),
        (b"3\r\nabc\r\n^0\n\r\n", "size of a chunk"),
        (b"3\r\nabc\r\n^0x0\r\n\r\n", "size of a chunk"),
    )
)

_NOT_ALLOWED = "not allowed as a trailer"

TRAILERS = tuple(
    Refused(f"trailers {lines!r}", CHUNKED + b"0\r\n" + lines, 400, reason)
    for lines, reason in (
        *(
            (b"^" + name + b": x\r\n\r\n", _NOT_ALLOWED)
            for name in (
                b"Content-Length",
                b"Transfer-Encoding",
                b"transfer-encoding",
                b"Host",
                b"Authorization",
                b"Content-Type",
                b"Content-Encoding",
                b"Connection",
                b"Expect",
                b"Cookie",
                b"TE",
                b"Trailer",
                b"Upgrade",
            )
        ),
        (b"X: y\r\n^Content-Length: 32\r\n\r\n" + SMUGGLED, _NOT_ALLOWED),
        (b"X^ : y\r\n\r\n", "before the colon"),
        (b"^ X: y\r\n\r\n", "folded"),
        (b"X: y\r\n^ z\r\n\r\n", "folded"),
        (b"^X\r\n\r\n", "without a colon"),
        (b"^GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", "without a colon"),
        (b"X: y^\nGET /admin HTTP/1.1\r\n\r\n", "bare LF"),
        (b"X: y^\rGET /admin HTTP/1.1\r\n\r\n", "bare CR"),
        (b"^\nGET /admin HTTP/1.1\r\n\r\n", "bare LF"),
        (b"^\rGET /admin HTTP/1.1\r\n\r\n", "bare CR"),
        (b"X: y\r\n^\nGET /admin HTTP/1.1\r\n\r\n", "bare LF"),
        (b"X: ^\x00\r\n\r\n", "NUL"),
        (b"X^\xe9: y\r\n\r\n", "wrong character"),
    )
)

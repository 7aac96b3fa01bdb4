"""What everybody understands alike has to pass: the gateway is strict, not narrow."""

from __future__ import annotations

from tests.protocols.http.corpus import CHUNKED, GET, POST, Accepted

_END = b"\r\n\r\n"

LINES = tuple(
    Accepted(repr(line), line + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    for line in (
        b"GET /",
        b"GET //",
        b"GET /a//b/../c/./d",
        b"GET /?",
        b"GET /??a=b&c=d&&e",
        b"GET /a?b=c|d",
        b"GET /%41%7e%C3%A9",
        b"GET /a;b=c;d/e,f",
        b"GET /~user/-_.!*'()",
        b"GET /[1]/{2}/^3/`4/|5",
        b"GET /a?b[]=c&d={e}^`|\\",
        b"GET /http://b/",
        b"GET /a@b:80/",
        b"GET /:80",
        b"GET /*",
        b"GET /" + b"a" * 8000,
        b"GET http://a/",
        b"GET HTTP://A:80/b?c",
        b"GET http://a",
        b"GET http://a?b=c",
        b"OPTIONS *",
        b"OPTIONS /",
        b"OPTIONS http://a/",
        b"DELETE /",
        b"PATCH /",
        b"PUT /",
        b"HEAD /",
    )
)

HOSTS = tuple(
    Accepted(
        repr(host),
        b"GET / HTTP/1.1\r\nHost:" + host + _END,
        b"GET / HTTP/1.1\r\nHost: " + sent + _END,
    )
    for host, sent in (
        (b" a", b"a"),
        (b"a", b"a"),
        (b"\t a \t", b"a"),
        (b" A.Example.COM", b"A.Example.COM"),
        (b" a.", b"a."),
        (b" a:80", b"a:80"),
        (b" a:65535", b"a:65535"),
        (b" a:00080", b"a:00080"),
        (b" 192.0.2.1", b"192.0.2.1"),
        (b" [2001:db8::1]", b"[2001:db8::1]"),
        (b" [::ffff:192.0.2.1]:80", b"[::ffff:192.0.2.1]:80"),
        (b" a_b.example", b"a_b.example"),
        (b" xn--bcher-kva.example", b"xn--bcher-kva.example"),
        (b" 1a.2b.example", b"1a.2b.example"),
        (b" a--b.example", b"a--b.example"),
    )
)

FIELDS = (
    *(
        Accepted(repr(lines), GET + lines + _END)
        for lines in (
            b"X: y",
            b"x-1!#$%&'*+-.^_`|~: y",
            b"X: y\r\nX: y\r\nx: Z",
            b'X: "a, b" \\ ; c=d <e>',
            b"X: \x80\xff\xe9",
            b"X: a\tb  c",
            b"Content-Type: text/plain\r\nContent-Type: text/html",
            b"Connection: close",
            b"Connection: keep-alive",
            b"Connection: close, keep-alive",
            b"Upgrade-Insecure-Requests: 1",
            b"Content-Length: 0",
            b"Content-Length-X: 5",
            b"X-Transfer-Encoding: chunked",
            b"X-Content-Length: 5",
            b'Cookie: a=b; c="d"; __Host-e=f',
            b"Range: bytes=0-1,3-",
            b'If-None-Match: W/"a", "b"',
            b"Via: 1.1 a\r\nX-Forwarded-For: 192.0.2.1",
            b"Keep-Alive: timeout=5",
            b"A_B: c",
            b"X: " + b"y" * 8000,
            b"\r\n".join(b"X-%d: y" % number for number in range(90)),
        )
    ),
    *(
        Accepted(repr(lines), GET + lines + _END, GET + sent + _END)
        for lines, sent in (
            (b"X:", b"X: "),
            (b"X: ", b"X: "),
            (b"X:y", b"X: y"),
            (b"X: \t y z \t ", b"X: y z"),
            (b"X::y", b"X: :y"),
            (b"Content-Length: 000", b"Content-Length: 0"),
        )
    ),
    # what is for the gateway alone does not go on
    *(
        Accepted(repr(lines), GET + lines + _END, GET + sent + _END)
        for lines, sent in (
            (b"Connection: keep-alive, x\r\nX: y\r\nZ: z", b"Connection: keep-alive\r\nZ: z"),
            (b"Connection: x\r\nX: y\r\nZ: z", b"Z: z"),
            (
                b"Connection: keep-alive, x\r\nKeep-Alive: timeout=5\r\nX: y",
                b"Connection: keep-alive\r\nKeep-Alive: timeout=5",
            ),
            (
                b"Connection: X-A\r\nconnection: close\r\nx-a: b\r\nZ: z",
                b"Connection: close\r\nZ: z",
            ),
            (b"Connection: ,, close ,\r\nZ: z", b"Connection: close\r\nZ: z"),
            (b"Proxy-Connection: keep-alive\r\nZ: z", b"Z: z"),
            (b"TE: trailers\r\nConnection: TE\r\nZ: z", b"TE: trailers\r\nConnection: TE\r\nZ: z"),
            (b"TE: gzip\r\nConnection: TE\r\nZ: z", b"Z: z"),
            (b"TE: trailers\r\nZ: z", b"Z: z"),
            (
                b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: A\r\nZ: z",
                b"Z: z",
            ),
            (b"Upgrade: TLS/1.3\r\nZ: z", b"Z: z"),
        )
    ),
)

BODIES = (
    Accepted("length", POST + b"Content-Length: 5\r\n\r\nhello"),
    Accepted(
        "zeros",
        POST + b"Content-Length: 0005\r\n\r\nhello",
        POST + b"Content-Length: 5\r\n\r\nhello",
    ),
    Accepted(
        "spaces",
        POST + b"content-length:\t5 \r\n\r\nhello",
        POST + b"content-length: 5\r\n\r\nhello",
    ),
    Accepted(
        "a body that looks like a request",
        POST + b"Content-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ),
    Accepted("DELETE", b"DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
    Accepted("OPTIONS", b"OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
    Accepted("expecting", POST + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\nx"),
    Accepted("expecting in capitals", POST + b"Content-Length: 1\r\nExpect: 100-Continue\r\n\r\nx"),
    Accepted("expecting for nothing", GET + b"Expect: 100-continue\r\n\r\n", GET + b"\r\n"),
    Accepted(
        "expecting for no bytes",
        POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        POST + b"Content-Length: 0\r\n\r\n",
    ),
    Accepted("1.0", b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"),
    Accepted("1.0, Host", b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
    Accepted("chunks", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"),
    Accepted("a chunk of sixteen", CHUNKED + b"10\r\n0123456789abcdef\r\n0\r\n\r\n"),
    Accepted("no chunk", CHUNKED + b"0\r\n\r\n"),
    Accepted("chunks of one byte", CHUNKED + b"1\r\na\r\n1\r\nb\r\n1\r\n\n\r\n0\r\n\r\n"),
    Accepted("a chunk of lines", CHUNKED + b"9\r\n0\r\n\r\nGET \r\n0\r\n\r\n"),
    Accepted(
        "sizes",
        CHUNKED + b"A\r\n0123456789\r\n00a\r\n0123456789\r\n000\r\n\r\n",
        CHUNKED + b"a\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
    ),
    Accepted(
        "extensions",
        CHUNKED + b'1;a\r\nx\r\n1;a=b;c="d;\\"e";f\r\ny\r\n0;a=b\r\n\r\n',
        CHUNKED + b"1\r\nx\r\n1\r\ny\r\n0\r\n\r\n",
    ),
    Accepted(
        "an extension of 250 bytes",
        CHUNKED + b"1;" + b"a" * 250 + b"\r\nx\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n0\r\n\r\n",
    ),
    Accepted("trailers", CHUNKED + b'0\r\nX-Sum: 1\r\nETag: "x"\r\n\r\n'),
    Accepted(
        "spelling",
        POST + b"transfer-encoding:  Chunked \r\n\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
)

SEVERAL = (
    Accepted("two", GET + b"\r\n" + POST + b"Content-Length: 1\r\n\r\nx"),
    Accepted("behind chunks", CHUNKED + b"0\r\n\r\n" + GET + b"\r\n"),
    Accepted("behind trailers", CHUNKED + b"0\r\nX: y\r\n\r\n" + GET + b"\r\n"),
    Accepted("three", (GET + b"\r\n") * 3),
)

REQUESTS = (*LINES, *HOSTS, *FIELDS, *BODIES, *SEVERAL)

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"

RESPONSES = (
    Accepted("length", _OK + b"Content-Length: 5\r\n\r\nhello"),
    Accepted("no reason", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
    Accepted(
        "not even its space",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    ),
    Accepted("a long reason", b"HTTP/1.1 299 It: is \tall \xe9 right\r\nContent-Length: 0\r\n\r\n"),
    Accepted("an unknown status", b"HTTP/1.1 799 ?\r\nContent-Length: 1\r\n\r\nx"),
    Accepted("until close", _OK + b"\r\nhello"),
    Accepted("until close, said so", _OK + b"Connection: close\r\n\r\nhello"),
    Accepted("1.0", b"HTTP/1.0 200 OK\r\n\r\nhello"),
    Accepted(
        "1.0 with a length",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
    ),
    Accepted("chunks", _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
    Accepted(
        "chunks with room behind their sizes",
        _CHUNKED + b"5  \r\nhello\r\n0\t \r\n\r\n",
        _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    ),
    Accepted(
        "white space around extensions",
        _CHUNKED + b'1 ; a\r\nx\r\n1;\ta = "b" ;c= d \r\ny\r\n0 ;a\r\n\r\n',
        _CHUNKED + b"1\r\nx\r\n1\r\ny\r\n0\r\n\r\n",
    ),
    Accepted(
        "white space before colons",
        _OK + b"Server : a\r\nX\t : b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nY : c\r\n\r\n",
        _OK + b"Server: a\r\nX: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nY: c\r\n\r\n",
    ),
    Accepted(
        "a length twice",
        _OK + b"Content-Length: 1\r\nX: y\r\ncontent-length: 1\r\n\r\na",
        _OK + b"Content-Length: 1\r\nX: y\r\n\r\na",
    ),
    Accepted(
        "a list of lengths",
        _OK + b"Content-Length: 1, 1 ,1\r\n\r\na",
        _OK + b"Content-Length: 1\r\n\r\na",
    ),
    *(
        Accepted(f"status {status}", b"HTTP/1.1 %d X\r\nContent-Length: 1\r\n\r\nx" % status)
        for status in (299, 306, 451, 499, 599, 600, 700, 999)
    ),
    Accepted(
        "a part", b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/2\r\nContent-Length: 1\r\n\r\nx"
    ),
    Accepted("205", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    Accepted(
        "205 of no chunks",
        b"HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    ),
    Accepted(
        "205 until close",
        b"HTTP/1.1 205 Reset Content\r\n\r\n",
        b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    ),
    Accepted("204", b"HTTP/1.1 204 No Content\r\n\r\n"),
    Accepted("204 with a length of 0", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
    Accepted("304", b'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n'),
    Accepted("304 of chunks", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
    Accepted("cookies", _OK + b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n"),
    Accepted(
        "a hint",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _OK + b"Content-Length: 0\r\n\r\n",
    ),
    Accepted("go on", b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + b"Content-Length: 0\r\n\r\n"),
    Accepted(
        "an offer",
        _OK + b"Upgrade: h2,h2c\r\nConnection: Upgrade, close\r\nContent-Length: 0\r\n\r\n",
        _OK + b"Content-Length: 0\r\n\r\n",
    ),
    Accepted(
        "upgrade required",
        b"HTTP/1.1 426 No\r\nUpgrade: x\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
    ),
)
"""Of GET; the server closes then."""

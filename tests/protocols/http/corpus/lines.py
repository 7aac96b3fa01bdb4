"""First lines, header lines and targets: what is no HTTP, or not the same HTTP to everybody."""

from __future__ import annotations

from tests.protocols.http.corpus import SMUGGLED, Refused, heads

_REST = b" HTTP/1.1\r\nHost: a\r\n\r\n"

LINES = (
    *(
        Refused(f"{name}: {line!r}", line, 400, reason)
        for name, line, reason in (
            ("lone LFs", b"GET / HTTP/1.1^\nHost: a\n\n", "bare LF"),
            ("lone LF", b"GET / HTTP/1.1^\nHost: a\r\n\r\n", "bare LF"),
            ("CRs", b"GET / HTTP/1.1^\rHost: a\r\r\n\r\n", "request line"),
            ("CR CR LF", b"GET / HTTP/1.1^\r\r\nHost: a\r\n\r\n", "request line"),
            ("CR in the line", b"GET /^\rx" + _REST, "request line"),
            ("NUL in the target", b"GET /^\x00" + _REST, "request line"),
            ("NUL in the method", b"GET^\x00 /" + _REST, "request line"),
            ("DEL in the target", b"GET /^\x7f" + _REST, "request line"),
            ("two spaces", b"GET ^ / HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("two spaces behind", b"GET / ^ HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("tab", b"GET^\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("vertical tab", b"GET^\x0b/ HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("form feed", b"GET /^\x0cHTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("space in the target", b"GET /a ^b" + _REST, "request line"),
            ("trailing space", b"GET / HTTP/1.1^ \r\nHost: a\r\n\r\n", "request line"),
            ("trailing word", b"GET / HTTP/1.1^ x\r\nHost: a\r\n\r\n", "request line"),
            ("HTTP/0.9", b"GET /^\r\n\r\n", "request line"),
            ("HTTP/0.9 with a space", b"GET / ^\r\n\r\n", "request line"),
            ("only a method", b"GET^\r\n\r\n", "request line"),
            ("nothing", b"^\r\n\r\n", "request line"),
            ("an empty line before", b"^\r\nGET /" + _REST, "request line"),
            ("a LF before", b"^\nGET /" + _REST, "bare LF"),
            ("a space before", b"^ GET /" + _REST, "request line"),
            ("a byte order mark", b"^\xef\xbb\xbfGET /" + _REST, "request line"),
            ("small letters", b"GET / ^http/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("another protocol", b"GET / HTTP^S/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("no number", b"GET / HTTP/^x.y\r\nHost: a\r\n\r\n", "request line"),
            ("half a version", b"GET / HTTP/1^\r\nHost: a\r\n\r\n", "request line"),
            ("a point too many", b"GET / HTTP/1.1^.\r\nHost: a\r\n\r\n", "request line"),
            ("many digits", b"GET / HTTP/1.1^0\r\nHost: a\r\n\r\n", "request line"),
            ("many digits before", b"GET / HTTP/1^1.1\r\nHost: a\r\n\r\n", "request line"),
            ("leading zero", b"GET / HTTP/0^1.1\r\nHost: a\r\n\r\n", "request line"),
            ("no slash in the version", b"GET / HTTP^ 1.1\r\nHost: a\r\n\r\n", "request line"),
            ("comma", b"GET / HTTP/1^,1\r\nHost: a\r\n\r\n", "request line"),
            ("digits beyond ASCII", b"GET / HTTP/1.^\xd9\xa1\r\nHost: a\r\n\r\n", "request line"),
            ("no method", b"^ / HTTP/1.1\r\nHost: a\r\n\r\n", "request line"),
            ("a method in brackets", b"^(GET) /" + _REST, "request line"),
            ("a method with a colon", b"GET^: /" + _REST, "request line"),
            ("a method with a comma", b"GET^,POST /" + _REST, "request line"),
            ("a method beyond ASCII", b"G^\xc9T /" + _REST, "request line"),
            ("beyond ASCII", b"GET /^\xe9" + _REST, "request line"),
            ("UTF-8 in the target", b"GET /^\xc3\xa9" + _REST, "request line"),
            ("an overlong slash", b"GET ^\xc0\xaf" + _REST, "request line"),
            ("a response", b"HTTP^/1.1 200 OK\r\n\r\n", "request line"),
            (
                "PROXY protocol",
                b"PROXY TCP4 ^192.0.2.1 192.0.2.2 5 80\r\n" + SMUGGLED,
                "request line",
            ),
            ("SSH", b"SSH-2.0-OpenSSH_9.2^\r\n", "request line"),
            ("SMTP", b"EHLO example.com^\r\n", "request line"),
        )
    ),
    Refused("HTTP/2 preface", b"PRI * ^HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2.0"),
    Refused("HTTP/2", b"GET / ^HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/2.0"),
    Refused("HTTP/1.2", b"GET / ^HTTP/1.2\r\nHost: a\r\n\r\n", 505, "HTTP/1.2"),
    Refused("HTTP/0.9 by name", b"GET / ^HTTP/0.9\r\nHost: a\r\n\r\n", 505, "HTTP/0.9"),
    Refused("HTTP/3", b"GET / ^HTTP/3.0\r\nHost: a\r\n\r\n", 505, "HTTP/3.0"),
)

FIELDS = (
    *heads(400, "folded", b"X: a\r\n^ b: c", b"X:\r\n^\tb", b"X: a\r\n^ \r\nY: z", b"^ X: y"),
    *heads(
        400,
        "bare LF",
        b"X: a^\nb: c",
        b"X:^\n b",
        b"X: a^\n",
        b"X: a^\n\r\nGET /admin HTTP/1.1",
        b"^\nX: a",
        b"X: a\r\n^\nGET /admin HTTP/1.1",
    ),
    *heads(
        400,
        "bare CR",
        b"X: a^\rb: c",
        b"^\rX",
        b"X: a^\r",
        b"X: a^\r\rGET /admin HTTP/1.1",
        b"X: a\r\n^\rY: b",
    ),
    *heads(400, "NUL", b"X: a^\x00", b"X: ^\x00\r\nY: b", b"^\x00X: a", b"X^\x00Y: a"),
    *heads(
        400,
        "control character",
        *(b"X: a^" + bytes([code]) + b"b" for code in (1, 7, 8, 11, 12, 14, 27, 31, 127)),
    ),
    *heads(
        400,
        "wrong character",
        *(b"X^" + bytes([code]) + b"Y: a" for code in b' "(),/;<=>?@[\\]{}\x01\x7f\x80\xa0\xff'),
    ),
    *heads(400, "before the colon", b"X^ : a", b"X^\t: a", b"Host^ : b", b"X^ \t : a"),
    *heads(400, "without a colon", b"^X", b"^chunked", b"^GET /admin HTTP/1.1", b"X: y\r\n^Z"),
    *heads(400, "without a name", b"^: a", b"^:", b"^::"),
    # What a gateway from HTTP/2 would have left behind.
    *heads(
        400,
        "without a name",
        b"^:method: POST",
        b"^:path: /admin",
        b"^:authority: b",
        b"^:scheme: https",
        b"^: chunked",
    ),
    *heads(400, "wrong character", b"X^ Y: a"),
    *heads(400, "bare LF", b"X: a^\nTransfer-Encoding: chunked", b"X: ^\n" + SMUGGLED[:-4]),
    *heads(400, "several", b"Content-Length: 0\r\n^Content-Length: 5"),
)

OPTIONS = (
    *heads(
        400,
        "not a connection option",
        b"^Connection: close keep-alive",
        b"^Connection: a/b",
        b"^Connection: @",
        b'^Connection: "close"',
        b"^Connection: close;a",
        b"^Connection: clos\xe9",
        b"Connection: close\r\n^Connection: x y",
    ),
    *heads(
        400,
        "for the other end",
        *(
            b"^Connection: close, " + name
            for name in (
                b"Host",
                b"cookie",
                b"AUTHORIZATION",
                b"Content-Type",
                b"content-length",
                b"Transfer-Encoding",
                b"Connection",
                b"cache-control",
                b"Range",
                b"Expect",
                b"Trailer",
                b"Location",
            )
        ),
    ),
)

TARGETS = tuple(
    Refused(f"{name}: {target!r}", b"GET ^" + target + _REST, 400, "target")
    for name, target in (
        ("fragment", b"/a#b"),
        ("backslash", b"/a\\..\\b"),
        ("quote", b'/a"b'),
        ("angle bracket", b"/a<b"),
        ("no slash", b"a"),
        ("no slash, dots", b"../a"),
        ("asterisk", b"*"),
        ("asterisk and more", b"*/a"),
        ("another scheme", b"ftp://a/"),
        ("TLS", b"https://a/"),
        ("a scheme with a NUL's escape", b"http%00://a/"),
        ("a file", b"file:///etc/passwd"),
        ("a script", b"javascript:alert(1)"),
        ("one slash", b"http:/a/"),
        ("three slashes", b"http:///a"),
        ("no host", b"http://"),
        ("only a port", b"http://:80/"),
        ("user", b"http://u@a/"),
        ("user and password", b"http://u:p@a/"),
        ("two hosts", b"http://a@b/"),
        ("authority", b"a:80"),
        ("no scheme", b"://a/"),
        ("query without a path", b"?a=b"),
        ("semicolon", b";a"),
        ("absolute with a fragment", b"http://a/#b"),
        ("absolute with a backslash", b"http://a\\@b/"),
    )
)

AUTHORITIES = tuple(
    Refused(f"target {target!r}", b"GET ^" + target + _REST, 400, reason)
    for target, reason in (
        (b"http://a:0/", "not a port"),
        (b"http://a:65536/", "not a port"),
        (b"http://127.1/", "not an address"),
        (b"http://0x7f000001/", "not an address"),
        (b"http://[::1::]/", "not an address"),
    )
)

ASTERISKS = tuple(
    Refused(f"OPTIONS {target!r}", b"OPTIONS ^" + target + _REST, 400, "target")
    for target in (b"*a", b"**", b"*/", b"*?a", b"a", b"ftp://a/")
)

CONNECTS = tuple(
    Refused(f"CONNECT {target!r}", b"CONNECT ^" + target + _REST, 400, "target")
    for target in (b"/", b"*", b"a", b"http://a/", b"a:80/", b"u@a:80", b":80", b"a:", b"a:x")
) + tuple(
    Refused(
        f"CONNECT a:443 and {host!r}",
        b"CONNECT a:443 HTTP/1.1\r\n^Host: " + host + b"\r\n\r\n",
        400,
        "Host says",
    )
    for host in (b"a:444", b"b:443", b"b")
)

"""
Smuggling: what one program takes for one message, and another for two.

The corpus is of techniques that were published: request smuggling (Watchfire
2005; Kettle, "HTTP Desync Attacks", 2019, "HTTP/2: The Sequel is Always Worse", 2021,
"Browser-Powered Desync Attacks", 2022, "HTTP/1.1 Must Die", 2025), Emil Lerner's
and Jeppe Weikop's chunk and trailer tricks ("TERM.EXT", "EXT.TERM", 2025), header injection.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"

Row = tuple[str, bytes, int, str]

LENGTHS: tuple[Row, ...] = (
    (
        "CL.TE",
        POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        400,
        "both",
    ),
    (
        "TE.CL",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
        400,
        "both",
    ),
    ("CL.CL, different", POST + b"Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc", 400, "sever"),
    ("CL.CL, same", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "several"),
    ("CL list", POST + b"Content-Length: 3, 3\r\n\r\nabc", 400, "not a Content-Length"),
    ("CL sign", POST + b"Content-Length: +3\r\n\r\nabc", 400, "not a Content-Length"),
    ("CL negative", POST + b"Content-Length: -1\r\n\r\n", 400, "not a Content-Length"),
    ("CL hexadecimal", POST + b"Content-Length: 0x3\r\n\r\nabc", 400, "not a Content-Length"),
    ("CL underscore", POST + b"Content-Length: 1_0\r\n\r\nabc", 400, "not a Content-Length"),
    ("CL empty", POST + b"Content-Length:\r\n\r\nabc", 400, "not a Content-Length"),
    ("CL inner space", POST + b"Content-Length: 1 0\r\n\r\nabc", 400, "not a Content-Length"),
    ("CL huge", POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400, "not a Content"),
    ("CL of digits beyond ASCII", POST + b"Content-Length: \xb2\r\n\r\nab", 400, "not a Content"),
    ("CL.0", GET + b"Content-Length: 32\r\n\r\n" + SMUGGLED, 400, "GET with a body"),
    ("0.CL by a space", POST + b"Content-Length : 32\r\n\r\n" + SMUGGLED, 400, "before the colon"),
    ("0.CL by folding", POST + b"Content-Length:\r\n 32\r\n\r\n" + SMUGGLED, 400, "folded"),
    (
        "0.CL by Expect",
        POST + b"Content-Length: 32\r\nExpect: y 100-continue\r\n\r\n" + SMUGGLED,
        417,
        "expectation",
    ),
    ("Expect without a body", GET + b"Expect: 100-continue\r\n\r\n", 400, "without a body"),
    (
        "hop-by-hop Content-Length",
        POST + b"Content-Length: 3\r\nConnection: Content-Length\r\n\r\nabc",
        400,
        "content-length",
    ),
    (
        "hop-by-hop Transfer-Encoding",
        POST + b"Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n\r\n0\r\n\r\n",
        400,
        "transfer-encoding",
    ),
)

CODINGS: tuple[Row, ...] = tuple(
    (f"TE.TE {line!r}", POST + line + b"\r\n\r\n0\r\n\r\n" + SMUGGLED, status, reason)
    for line, status, reason in (
        (b"Transfer-Encoding: xchunked", 501, "only 'chunked'"),
        (b"Transfer-Encoding : chunked", 400, "before the colon"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", 400, "several"),
        (b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked", 400, "several"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400, "several"),
        (b"Transfer-Encoding: chunked, chunked", 501, "only 'chunked'"),
        (b"Transfer-Encoding: identity", 501, "only 'chunked'"),
        (b"Transfer-Encoding: gzip, chunked", 501, "only 'chunked'"),
        (b"Transfer-Encoding: chunked, identity", 501, "only 'chunked'"),
        (b"Transfer-Encoding: ,chunked", 501, "only 'chunked'"),
        (b"Transfer-Encoding: chunked;q=1", 501, "only 'chunked'"),
        (b'Transfer-Encoding: "chunked"', 501, "only 'chunked'"),
        (b"Transfer-Encoding:", 501, "only 'chunked'"),
        (b" Transfer-Encoding: chunked", 400, "folded"),
        (b"X: x\r\n\tTransfer-Encoding: chunked", 400, "folded"),
        (b"Transfer-Encoding:\r\n chunked", 400, "folded"),
        (b"Transfer-Encoding\r\n: chunked", 400, "colon"),
        (b"X: x\nTransfer-Encoding: chunked", 400, "bare LF"),
        (b"X: x\rTransfer-Encoding: chunked", 400, "bare CR"),
        (b"Transfer-Encoding:\x0bchunked", 400, "control character"),
        (b"Transfer-Encoding: \x00chunked", 400, "NUL"),
        (b"Transfer-Encoding: chunked\x0c", 400, "control character"),
        (b"Transfer-Encoding: \xa0chunked", 501, "only 'chunked'"),
        (b"Transfer-Encoding: chunked\x85", 501, "only 'chunked'"),
        (b"Transfer-Encoding: chun\xe7ked", 501, "only 'chunked'"),
        (b"Transfer\x00-Encoding: chunked", 400, "NUL"),
        (b"Transfer-\xe9ncoding: chunked", 400, "wrong character"),
        (b"Transfer Encoding: chunked", 400, "wrong character"),
        (b'"Transfer-Encoding": chunked', 400, "wrong character"),
        (b"Transfer-Encoding", 400, "without a colon"),
        (b": chunked", 400, "without a name"),
    )
)

CHUNKS: tuple[Row, ...] = tuple(
    (f"chunks {body!r}", CHUNKED + body, 400, reason)
    for body, reason in (
        (b"0x3\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"+3\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"-3\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b" 3\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3 \r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3_0\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"g\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"ffffffffffffffff3\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3x\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3\rabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3\r\nabcX\r\n0\r\n\r\n", "followed by"),
        (b"3\r\nabc\n0\r\n\r\n", "followed by"),
        (b"3\r\nabcde0\r\n\r\n", "followed by"),
        (b"3;\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3;a\nb\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3;a\rb\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3;a=\x00\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b'3;a="\n"\r\nabc\r\n0\r\n\r\n', "size of a chunk"),
        (b"3 ;a=b\r\nabc\r\n0\r\n\r\n", "size of a chunk"),
        (b"3;" + b"a" * 300 + b"\r\nabc\r\n0\r\n\r\n", "more than 256"),
        (b"0\r\nContent-Length: 5\r\n\r\n", "not allowed as a trailer"),
        (b"0\r\nTransfer-Encoding: chunked\r\n\r\n", "not allowed as a trailer"),
        (b"0\r\nHost: b\r\n\r\n", "not allowed as a trailer"),
        (b"0\r\nAuthorization: x\r\n\r\n", "not allowed as a trailer"),
        (b"0\r\nX : y\r\n\r\n", "before the colon"),
        (b"0\r\n X: y\r\n\r\n", "folded"),
        (b"0\r\nX\r\n\r\n", "without a colon"),
        (b"0\r\nX: y\nGET /admin HTTP/1.1\r\n\r\n", "bare LF"),
        (b"0\r\n\nGET /admin HTTP/1.1\r\n\r\n", "bare LF"),
    )
)

LINES: tuple[Row, ...] = (
    ("lone LFs", b"GET / HTTP/1.1\nHost: a\n\n", 400, "bare LF"),
    ("CR in the line", b"GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("NUL in the target", b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("tab", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("trailing space", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "request line"),
    ("HTTP/0.9", b"GET /\r\n", 400, "request line"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2.0"),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "HTTP/1.2"),
    ("small letters", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("no method", b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("a method in brackets", b"(GET) / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("beyond ASCII", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400, "bare LF"),
    ("fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
    ("backslash", b"GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
    ("no slash", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
    ("asterisk", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
    ("another scheme", b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
    ("user", b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
    ("injected header", GET + b"X: a\r\n b: c\r\n\r\n", 400, "folded"),
    ("header with a LF", GET + b"X: a\nb: c\r\n\r\n", 400, "bare LF"),
    ("header with a CR", GET + b"X: a\rb: c\r\n\r\n", 400, "bare CR"),
    ("header with an escape", GET + b"X: \x1b[2J\r\n\r\n", 400, "control character"),
    ("only a CR at the end", GET + b"\rX\r\n\r\n", 400, "bare CR"),
)

HOSTS: tuple[Row, ...] = (
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400, "no Host"),
    ("two Hosts", GET + b"Host: b\r\n\r\n", 400, "2 Host"),
    ("two Hosts of 1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, "2 Host"),
    ("absolute", b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Host says"),
    ("absolute port", b"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Host says"),
    *(
        (f"Host {host!r}", b"GET / HTTP/1.1\r\nHost:" + host + b"\r\n\r\n", 400, "not a")
        for host in (
            b"",
            b"a b",
            b"a,b",
            b"u@a",
            b"a/b",
            b"a:",
            b"a:x",
            b"a:0",
            b"a:99999",
            b"a%00b",
            b"a#b",
            b"..",
            b"a..b",
            b"-a",
            b"[::1",
            b"[1::2::3]",
            b"0x7f.1",
            b"127.1",
            b"2130706433",
            b"0177.0.0.1",
            b"http://a",
            b"\xe9.example",
        )
    ),
)

RESPONSES: tuple[tuple[str, bytes, bytes, str], ...] = (
    (
        "both",
        GET,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "both",
    ),
    (
        "two lengths",
        GET,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        "several",
    ),
    ("coding", GET, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", "only 'chunked'"),
    ("folded", GET, b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n", "folded"),
    ("space", GET, b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n", "before the colon"),
    ("split", GET, b"HTTP/1.1 200 OK\r\nLocation: a\nSet-Cookie: b\r\n", "bare LF"),
    ("no number", GET, b"HTTP/1.1 OK\r\n", "status line"),
    ("status 099", GET, b"HTTP/1.1 099 OK\r\n", "status line"),
    ("HTTP/0.9", GET, b"<html>hello\r\n", "status line"),
    ("HTTP/2", GET, b"HTTP/2.0 200 OK\r\n", "HTTP/2.0"),
    ("coding in 1.0", GET, b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", "HTTP/1.0"),
    (
        "coding to 1.0",
        b"GET / HTTP/1.0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
        "HTTP/1.0",
    ),
    ("1xx to 1.0", b"GET / HTTP/1.0\r\n", b"HTTP/1.1 100 Continue\r\n", "HTTP/1.0"),
    ("204 with a body", GET, b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n", "with a body"),
    ("204 with chunks", GET, b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n", "with a body"),
    ("103 with a body", GET, b"HTTP/1.1 103 Early\r\nContent-Length: 3\r\n", "with a body"),
    ("101", GET, b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", "no upgrade"),
    (
        "hop-by-hop",
        GET,
        b"HTTP/1.1 200 OK\r\nConnection: set-cookie\r\nSet-Cookie: a\r\n",
        "cookie",
    ),
)


def ask(request: bytes) -> FakeSession:
    """What comes of a request."""
    session = FakeSession(HttpInspector).start()
    session.says(CLIENT, request)
    return session


class SmugglingTests(SynchronousTestCase):
    """What the operator may rely on: nothing ambiguous reaches a server or a client."""

    def refused(self, row: Row, harmless: bytes = b"") -> None:
        """The client gets a clean answer, the record the reason; the server at most C{harmless}."""
        name, request, status, reason = row
        session = ask(request)
        verdict = session.verdict
        assert verdict is not None, f"{name}: passed as {session.sent[SERVER]!r}"
        self.assertIs(verdict.outcome, Outcome.DENIED, name)
        self.assertIn(reason, verdict.reason, name)
        self.assertTrue(harmless.startswith(session.sent[SERVER]), f"{name}: {session.sent}")
        said = session.sent[CLIENT]
        self.assertTrue(said.startswith(b"HTTP/1.1 %d " % status), f"{name}: {said!r}")
        self.assertIn(b"\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n", said, name)
        (record,) = [fields for event, fields in session.logged if event == "http"]
        self.assertEqual((record["verdict"], record["status"]), ("denied", status), name)
        self.assertEqual(record["reason"], verdict.reason, name)

    def test_lengths(self) -> None:
        """CL.TE, TE.CL, CL.0, 0.CL: one length, or none."""
        for row in LENGTHS:
            self.refused(row)

    def test_codings(self) -> None:
        """TE.TE: chunked, or nothing."""
        for row in CODINGS:
            self.refused(row)

    def test_chunks(self) -> None:
        """Chunks, extensions and trailers: nothing but what the standard says."""
        for row in CHUNKS:
            self.refused(row, CHUNKED + row[1].removeprefix(CHUNKED))

    def test_lines(self) -> None:
        """Lines end in CRLF; request lines have two spaces."""
        for row in LINES:
            self.refused(row)

    def test_hosts(self) -> None:
        """It is clear whom a request is for."""
        for row in HOSTS:
            self.refused(row)

    def test_in_pieces(self) -> None:
        """However it comes, byte by byte or at once, the same is refused for the same reason."""
        for name, request, _, _ in (*LENGTHS, *CODINGS, *CHUNKS, *LINES, *HOSTS):
            whole, pieces = ask(request), FakeSession(HttpInspector).start()
            for at in range(len(request)):
                pieces.says(CLIENT, request[at : at + 1])
            self.assertEqual(pieces.verdict, whole.verdict, name)
            self.assertEqual(pieces.sent[CLIENT], whole.sent[CLIENT], name)

    def test_responses(self) -> None:
        """What a server says is read as strictly; the client gets a 502 of ours."""
        for name, request, head, reason in RESPONSES:
            session = ask(request + b"\r\n")
            session.says(SERVER, head + b"\r\n")
            verdict = session.verdict
            assert verdict is not None, name
            self.assertIs(verdict.outcome, Outcome.DENIED, name)
            self.assertIn(reason, verdict.reason, name)
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 502 "), name)
            self.assertNotIn(b"Set-Cookie", session.sent[CLIENT])

    def test_offsets(self) -> None:
        """The record says where the offending bytes are."""
        for request, mark in (
            (GET + b"X: a\r\nY : b\r\n\r\n", b" : b"),
            (GET + b"X: a\x00\r\n\r\n", b"\x00"),
            (b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", b"\xe9"),
            (CHUNKED + b"3\r\nabc\r\nxyz\r\n", b"xyz"),
            (CHUNKED + b"3\r\nabcX\r\n", b"X\r\n"),
            (CHUNKED + b"0\r\nA: b\r\nC\x01: d\r\n\r\n", b"\x01"),
        ):
            session = ask(request)
            self.assertEqual(session.logged[0][1]["offset"], request.index(mark), request)

    def test_second_request_hides_nothing(self) -> None:
        """What follows a body is a request of its own, decided like any other."""
        session = ask(POST + b"Content-Length: 3\r\n\r\nabc" + SMUGGLED)
        self.assertNotIn(b"admin", session.sent[SERVER])
        session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertTrue(session.sent[SERVER].endswith(SMUGGLED))

    def test_two_answers(self) -> None:
        """Who made a server answer twice (CL.0) gets one answer."""
        session = ask(POST + b"Content-Length: 32\r\n\r\n" + SMUGGLED)
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
        session.says(SERVER, answer + answer)
        self.assertEqual(session.sent[CLIENT], answer)
        self.assertIn("answers no request", str(session.verdict))

    def test_body_where_none_is(self) -> None:
        """After HEAD, 204 and 304, no byte of a body reaches the client."""
        for request, head in (
            (GET.replace(b"GET", b"HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
            (GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
            (GET, b"HTTP/1.1 204 No Content\r\n\r\n"),
        ):
            session = ask(request + b"\r\n")
            session.says(SERVER, head + b"abc")
            self.assertEqual(session.sent[CLIENT], head)
            self.assertIn("answers no request", str(session.verdict))

    def test_long(self) -> None:
        """Quadratic patterns would show here: half a megabyte of what never ends."""
        for filling in (b"a", b" ", b":", b"a:", b"a, ", b"\t", b'"', b";a", b"\\"):
            lines = filling * (60000 // len(filling))
            ask(GET + lines + b"\r\n\r\n")
            ask(GET + b"X: " + lines[:8000] + b"\r\n\r\n")
            ask(b"GET /" + lines[:8000] + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            ask(b"GET / HTTP/1.1\r\nHost: " + lines[:8000] + b"\r\n\r\n")
            ask(GET + b"Connection: " + lines[:8000] + b"\r\n\r\n")

"""
Plain messages take a shorter way, and nobody can tell: with it and without it, the same
conversations are the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Coroutine
from itertools import groupby, product
from typing import Any

from attrs import fields
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.inspector import Reader
from gateway.interfaces import CLIENT, SERVER, Address, ISession, Side
from gateway.testing import FakeSession
from protocols.hosts import read_hosts
from protocols.http.http1.plain import LONGEST
from protocols.http.http1.shape import MOST, Shapes
from protocols.http.http1.tables import MOST_ENDINGS, MOST_HOSTS
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.headers import HeaderPolicy
from protocols.http.policy.patterns import read_paths, read_statuses, read_types
from protocols.http.policy.settings import HttpSettings
from protocols.http.policy.test import RequestTest, ResponseTest
from protocols.http.settings import Stack
from protocols.http.shared import Shared
from protocols.http.times import Times
from tests.protocols.http.corpus import accepted, chunks, framing, hosts, lines, real, responses

EXAMPLES = int(os.environ.get("HTTP_EXAMPLES", "300"))
"""Conversations. HTTP_EXAMPLES=100000 takes half an hour."""

HERE = Address("198.51.100.7", 80)

BROWSER = (
    b"GET /page?x=1 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: browser\r\n"
    b"Accept: */*\r\nReferer: http://www.example.com/\r\nConnection: keep-alive\r\n\r\n"
)
FORM = (
    b"POST /form HTTP/1.1\r\nHost: www.example.com\r\nContent-Type: a/b\r\nContent-Length: 3\r\n"
    b"\r\nabc"
)
OK = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
CHUNKED_FORM = (
    b"POST /form HTTP/1.1\r\nHost: www.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n" % len(BROWSER)
)
CHUNKED_PAGE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(OK)
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'

POLICY = HttpSettings(
    methods=frozenset({"GET", "HEAD", "POST"}),
    hosts=read_hosts((".example.com", "~h[0-9]", "::1")),
    request=(
        RequestTest(path=read_paths(("*.exe", "*/cgi-bin/*"))),
        RequestTest(host=read_hosts((".bad.example.com",)), answer=404),
        RequestTest(method=frozenset({"POST"}), path=read_paths(("/form",)), longer_than=2),
        RequestTest(host=read_hosts(("odd.example.com",)), header={"x-a": read_paths(("*",))}),
    ),
    response=(
        ResponseTest(content_type=read_types(("application/*",))),
        ResponseTest(status=read_statuses((404,)), action="drop-header", name="Server"),
    ),
    request_headers=HeaderPolicy(remove=frozenset({"x-a"})),
    response_headers=HeaderPolicy(remove=frozenset({"server"})),
)

POLICIES = (
    HttpSettings(),
    POLICY,
    HttpSettings(limits=Limits(requests=3, header_line_bytes=64, headers=5, method_bytes=3)),
    HttpSettings(limits=Limits(request_body_bytes=4, request_line_bytes=64, pipelined=3)),
    HttpSettings(methods=frozenset({"*"}), paths=read_paths(("/", "/page*", "/form"))),
    HttpSettings(response=(ResponseTest(longer_than=10, content_type=read_types(("text/*",))),)),
    HttpSettings(response_headers=HeaderPolicy(only=frozenset({"content-type", "etag"}))),
    HttpSettings(targets="encode", limits=Limits(chunk_bytes=4), invalid_escapes=True),
    HttpSettings(
        request=(
            RequestTest(path=read_paths(("/page*",)), action="wait", seconds=9.0),
            RequestTest(path=read_paths(("/form",)), action="allow"),
            RequestTest(query=read_paths(("*x=2",)), action="set-header", name="X", value="y"),
            RequestTest(host=read_hosts(("::1",))),
        ),
        response=(
            ResponseTest(path=read_paths(("/a/*",)), action="set-header", name="X", value="y"),
            ResponseTest(
                request_header={"accept": read_paths(("*/*",))}, status=read_statuses(("5xx",))
            ),
        ),
    ),
)

OF_A_TEST = (
    *("method", "host", "path", "query", "header", "version", "content_type", "longer_than"),
    *("action", "answer", "reason", "message", "page", "location", "name", "value", "service"),
    *("seconds", "place", "_names", "_checks"),
)

IMPLAUSIBLE = (
    HttpSettings(host_check="literal"),
    HttpSettings(stack=Stack(response="other")),
    HttpSettings(request_headers=HeaderPolicy(set={"X": ("y",)})),
    HttpSettings(request_headers=HeaderPolicy(limit={"x": 1})),
    HttpSettings(times=Times(response_bytes_per_second=1)),
    HttpSettings(limits=Limits(response_body_bytes=1)),
    HttpSettings(limits=Limits(chunk_bytes=1)),
)
"""With which nothing is plain."""

THOUGHT_OF = {
    HttpSettings: {
        *("limits", "times", "host_check", "names", "upgrades", "connect", "targets"),
        *(
            "keep_client",
            "request_bodies",
            "stack",
            "tunnels",
            "methods",
            "hosts",
            "paths",
            "ports",
        ),
        *("connect_ports", "invalid_escapes", "request", "response", "request_headers"),
        *("response_headers", "content", "request_content", "authentication", "pages"),
    },
    Limits: {
        *("request_line_bytes", "method_bytes", "header_line_bytes", "headers", "head_bytes"),
        *("request_body_bytes", "response_body_bytes", "chunk_bytes", "requests", "refusals"),
        *("pipelined", "interim_responses"),
    },
    Times: {
        *("head_seconds", "request_seconds", "request_bytes_per_second", "response_seconds"),
        *("silence_seconds", "response_bytes_per_second", "take_seconds", "window_seconds"),
        *("keepalive_seconds", "shortest"),
    },
    Stack: {
        "request",
        "response",
        "headers",
        "held_bytes",
        "ranges",
        "codings",
        "page_seconds",
        "page_wait_seconds",
    },
    HeaderPolicy: {"limit", "only", "remove", "replace", "rename", "set", "add", "_removed"},
    RequestTest: {*OF_A_TEST, "lists"},
    ResponseTest: {*OF_A_TEST, "status", "request_header", "_asked"},
}
"""
What is configured, of which a plain message either keeps to all, or is not plain where it is set
(L{protocols.http.policy.plans}). Whoever adds a setting adds it here when that is so.
"""


def begin(policy: HttpSettings, plain: bool = True, **options: Any) -> FakeSession:
    """A session with plain messages, or one that knows none."""
    shared = Shared(policy)
    if not plain:
        shared.tables = None
    return FakeSession(Seen, policy, shared=shared, server=HERE, **options).start()


class Seen(HttpInspector):
    """
    @ivar general: which sides were read in the general way.
    """

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self.general: list[Side] = []

    def from_client(self, read: Reader) -> Coroutine[Any, Any, None]:
        """Not plain."""
        self.general.append(CLIENT)
        return super().from_client(read)

    def from_server(self, read: Reader) -> Coroutine[Any, Any, None]:
        """Not plain."""
        self.general.append(SERVER)
        return super().from_server(read)


def is_plain(session: FakeSession) -> bool:
    """Whether nothing was read in the general way."""
    assert isinstance(session.inspector, Seen)
    return not session.inspector.general


class PlainTests(SynchronousTestCase):
    """What is plain, and what is known of it."""

    def test_plain(self) -> None:
        """Pages, forms, errors: from the first one on, on a new connection and on a kept one."""
        for request, answer in (
            (BROWSER, OK),
            (BROWSER, CHUNKED),
            (BROWSER, NOT_MODIFIED),
            (BROWSER.replace(b"GET", b"HEAD"), OK[:-2]),
            (FORM, OK),
            (FORM, b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
            (BROWSER, OK.replace(b"200 OK", b"503 Busy")),
        ):
            session = begin(HttpSettings())
            for _ in range(3):
                session.says(CLIENT, request)
                session.says(SERVER, answer)
            self.assertTrue(is_plain(session), (request, answer))
            self.assertEqual(session.sent, {SERVER: request * 3, CLIENT: answer * 3})
            self.assertEqual([one["verdict"] for one in session.records_of("http")], ["passed"] * 3)

    def test_in_pieces(self) -> None:
        """The body of an answer may come later, in pieces."""
        session = begin(HttpSettings())
        session.says(CLIENT, BROWSER)
        for piece in (OK[:-2], OK[-2:-1], OK[-1:]):
            session.says(SERVER, piece)
        session.says(CLIENT, BROWSER)
        self.assertTrue(is_plain(session))
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertEqual(session.records_of("http")[0]["length"], 2)

    def test_dropped(self) -> None:
        """Headers that the policy drops by their names are no reason to take the longer way."""
        session = begin(POLICY)
        session.says(CLIENT, BROWSER.replace(b"Accept:", b"X-A: b\r\nAccept:"))
        session.says(SERVER, OK)
        self.assertTrue(is_plain(session))
        self.assertEqual(session.sent[SERVER], BROWSER)
        self.assertEqual(session.sent[CLIENT], OK.replace(b"Server: s\r\n", b""))

    def test_not_plain(self) -> None:
        """All that something has to be done with, or that could be wrong."""
        for policy, request in (
            (HttpSettings(), BROWSER.replace(b"/page", b"/p%61ge")),
            (HttpSettings(), BROWSER.replace(b"/page", b"//page")),
            (HttpSettings(), BROWSER.replace(b"Accept:", b"Accept : ")),
            (HttpSettings(), BROWSER.replace(b"keep-alive", b"close")),
            (HttpSettings(), BROWSER.replace(b"browser", b"\xc3\xa4")),
            (HttpSettings(), BROWSER[:-1]),
            (HttpSettings(), BROWSER * 2),
            (HttpSettings(), FORM[:-1]),
            (HttpSettings(), FORM + b"d"),
            (POLICY, BROWSER.replace(b"/page", b"/x.exe")),
            (POLICY, BROWSER.replace(b"Host: www", b"Host: odd")),
            (POLICY, FORM),
            *((policy, BROWSER) for policy in IMPLAUSIBLE),
        ):
            session = begin(policy)
            session.says(CLIENT, request)
            self.assertFalse(is_plain(session), request)

    def test_odd_answers(self) -> None:
        """The same for answers."""
        for policy, answer in (
            (HttpSettings(), OK.replace(b"200 OK", b"206 Part")),
            (HttpSettings(), OK.replace(b"200 OK", b"302 Found")),
            (HttpSettings(), OK.replace(b"Content-Length: 2\r\n", b"")),
            (HttpSettings(), OK.replace(b"Server: s", b"Content-Length: 2")),
            (HttpSettings(), OK + b"!"),
            (HttpSettings(), CHUNKED[:-1]),
            (HttpSettings(), CHUNKED.replace(b"\r\n2\r\n", b"\r\n02\r\n")),
            (HttpSettings(), CHUNKED.replace(b"\r\n2\r\n", b"\r\n2;a\r\n")),
            (HttpSettings(limits=Limits(chunk_bytes=1)), CHUNKED),
            (POLICY, OK.replace(b"text/html", b"application/x")),
            (POLICY, OK.replace(b"text/html", b"text/html, application/x")),
            (POLICY, OK.replace(b"200 OK", b"404 No")),
        ):
            session = begin(policy)
            session.says(CLIENT, BROWSER)
            session.says(SERVER, answer)
            self.assertFalse(is_plain(session), answer)

    def test_thought_of(self) -> None:
        """No setting is passed by because it is newer than the short way."""
        for kind, names in THOUGHT_OF.items():
            self.assertEqual({each.name for each in fields(kind)}, set(names), kind)

    def test_bounded(self) -> None:
        """Whatever names, hosts and types a peer makes up, no more is kept than so much."""
        shapes = Shapes(frozenset(), frozenset(), 100, lambda name: True)
        for number in range(2 * MOST + 1):
            self.assertIsNotNone(shapes.read(b"GET / HTTP/1.1\r\nX-%d: y\r\n\r\n" % number))
        self.assertLessEqual(len(shapes), MOST)
        shared = Shared(HttpSettings())
        assert shared.tables is not None
        for number in range(2 * MOST_HOSTS + 1):
            self.assertIsNotNone(shared.tables.host(f"h{number}"))
            self.assertIsNotNone(shared.tables.ending("200", f"text/t{number}"))
        self.assertLessEqual(len(shared.tables._hosts), MOST_HOSTS)
        self.assertLessEqual(len(shared.tables._endings), MOST_ENDINGS)

    def test_records(self) -> None:
        """A prepared record is the one that would have been written; long ones are not prepared."""
        long = b"a" * (LONGEST + 1)
        for request in (
            BROWSER,
            FORM,
            BROWSER.replace(b"browser", b'"\\ <\x7e'),
            BROWSER.replace(b"browser", long),
            BROWSER.replace(b"/page", b"/" + long),
            BROWSER.replace(b"www.example.com\r\nUser", b"[::1]:80\r\nUser"),
        ):
            for answer in (OK, CHUNKED, NOT_MODIFIED):
                talks = [begin(HttpSettings(), plain) for plain in (True, False)]
                for session in talks:
                    session.says(CLIENT, request)
                    session.says(SERVER, answer)
                one, other = (session.records_of("http") for session in talks)
                self.assertEqual(one, other)
                self.assertTrue(is_plain(talks[0]))


# What a conversation is made of: mostly good, and often with something that is odd.

GOOD_HOSTS = st.sampled_from((b"www.example.com", b"WWW.Example.COM", b"h1:80", b"[::1]"))
HOSTS = st.sampled_from(
    (
        *(b"x.bad.example.com", b"odd.example.com", b"h2.", b"other", b"10.0.0.1", b"", b"a b"),
        *(b"a..b", b"h1:0", b"%3A%3A1", b"a,b", b"1"),
    )
)
GOOD_TARGETS = st.sampled_from((b"/", b"/page", b"/page?x=2", b"/form", b"/a/b.c?d=%20"))
TARGETS = st.sampled_from(
    (
        *(
            b"/x.exe",
            b"/cgi-bin/x",
            b"/a/cgi-bin/x",
            b"/%41",
            b"/a/../b",
            b"/a//b",
            b"/.x",
            b"/a;b",
        ),
        *(b"/a?b=%2", b"/?%zz", b"/a\\b", b'/a?"', b"/a?\\", b"/a?'", b"/a.", b"/%00", b"*"),
        *(b"http://h1/x", b"/a#b", b"/\x80", b"/?\xe9", b"/?" + b"q" * 600, b"/a b", b""),
    )
)
GOOD_METHODS = st.sampled_from((b"GET", b"GET", b"GET", b"HEAD", b"POST"))
METHODS = st.sampled_from((b"PUT", b"OPTIONS", b"get", b"TRACE", b"G@T", b"CONNECT"))
VERSIONS = st.sampled_from((b"HTTP/1.0", b"HTTP/1.2", b"http/1.1"))
SPECIAL = (
    *(b"User-Agent", b"Accept", b"Referer", b"Cookie", b"Connection", b"Keep-Alive", b"X-A"),
    *(b"Content-Length", b"Transfer-Encoding", b"Content_Length", b"Upgrade", b"TE", b"Expect"),
    *(b"Authorization", b"HOST", b"host", b"Content-Type", b"Proxy-Connection", b"Range"),
    *(b"Trailer", b"Server", b"server", b"ETag", b"Location", b"Content-Encoding", b"x-a"),
    *(b"Content-Disposition", b"Date", b"", b"a b", b"X_A", b"Set-Cookie", b"transfer_encoding"),
    *(b"HTTP2-Settings", b"Proxy-Authorization", b"Proxy-Authenticate", b"Max-Forwards"),
    *(b"Content-Range", b"Accept-Ranges", b"If-Range", b"Content-Location", b"Via"),
    *(b"WWW-Authenticate", b"Cache-Control", b"Accept-Encoding"),
)
NAMES = st.sampled_from(SPECIAL)
VALUES = st.sampled_from(
    (
        *(b"x", b"x", b"keep-alive", b"Keep-Alive", b"close", b"keep-alive, close", b"Upgrade"),
        *(b"0", b"3", b"5", b"05", b"+5", b"chunked", b"identity", b"gzip", b"100-continue"),
        *(b"", b" x", b"x ", b"a\tb", b"\xe9", b"\x7f", b"\x00", b"a\rb", b"a\nb", b"a: b"),
        *(b"a:  b", b'"q"', b"\\", b"a" * 100, b"u" * 600, b"text/html", b"application/x"),
        b"text/html, application/x",
    )
)
SEPARATORS = st.sampled_from([b": "] * 20 + [b":", b":  ", b":\t", b" : ", b""])
ENDS = st.sampled_from([b"\r\n"] * 60 + [b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b"\r\r\n"])


ODDITIES = ("ends", "fields", "host", "target", "method", "version", "body")
ODD = st.sampled_from((*ODDITIES, *(None,) * 2 * len(ODDITIES)))
"""What is odd about a message; most have nothing."""


@st.composite
def heads(
    draw: st.DrawFn, first: bytes, fields: list[tuple[bytes, bytes]], odd: str | None
) -> bytes:
    """A head with these headers, and with others or with odd separators and ends."""
    for _ in range(draw(st.integers(1, 2)) if odd == "fields" else 0):
        place = draw(st.integers(0, len(fields)))
        fields.insert(place, (draw(NAMES), draw(VALUES)))
    if odd != "ends":
        return b"\r\n".join([first, *[b"%s: %s" % field for field in fields], b"", b""])
    lines = [name + draw(SEPARATORS) + value + draw(ENDS) for name, value in fields]
    return b"".join([first, draw(ENDS), *lines, b"\r\n"])


@st.composite
def asked(draw: st.DrawFn) -> bytes:
    """A request."""
    odd = draw(ODD)
    fields = [(b"Host", draw(HOSTS if odd == "host" else GOOD_HOSTS))]
    for field in ((b"User-Agent", b"u"), (b"Accept", b"*/*"), (b"Connection", b"keep-alive")):
        if draw(st.booleans()):
            fields.append(field)
    method = draw(METHODS if odd == "method" else GOOD_METHODS)
    body = draw(st.sampled_from((b"abc", b"hello"))) if method == b"POST" or odd == "body" else b""
    if body:
        fields.append((b"Content-Length", b"%d" % len(body)))
    version = draw(VERSIONS) if odd == "version" else b"HTTP/1.1"
    first = b" ".join((method, draw(TARGETS if odd == "target" else GOOD_TARGETS), version))
    return draw(heads(first, fields, odd)) + body


GOOD_STATUSES = st.sampled_from((200, 200, 200, 304, 204, 201, 500, 404))
STATUSES = st.sampled_from((302, 206, 205, 100, 101, 999, 600, 203, 408))
BODIES = st.sampled_from((b"", b"x", b"hello", b"z" * 100, b"z" * 20000))
SIZES = st.sampled_from((b"%X", b"0%x", b"%x ", b"%x;a"))
PHRASES = st.sampled_from((b"", b" ", b"  x", b" \xe9", b"\tOK"))
LAST = st.sampled_from((b"0\r\nX: y\r\n\r\n", b"0\r\n", b"00\r\n\r\n"))


@st.composite
def answered(draw: st.DrawFn) -> bytes:
    """A response."""
    odd = draw(ODD)
    status = draw(STATUSES if odd == "host" else GOOD_STATUSES)
    body = b"" if status in (204, 304) else draw(BODIES)
    types = (b"a/b", b"text/html, a/b", b"application/x") if odd == "target" else (b"text/html",)
    fields = [(b"Server", b"s"), (b"Content-Type", draw(st.sampled_from(types)))]
    kind = draw(st.sampled_from(("length", "length", "chunks", "close" if odd else "length")))
    if kind == "length" and status != 304:
        fields.append((b"Content-Length", b"%d" % (len(body) + 3 * (odd == "body"))))
    elif kind == "chunks":
        fields.append((b"Transfer-Encoding", b"chunked"))
        size = (draw(SIZES) if odd == "body" else b"%x") % len(body)
        last = draw(LAST) if odd == "body" else b"0\r\n\r\n"
        body = (b"%s\r\n%s\r\n" % (size, body) if body else b"") + last
    if draw(st.booleans()):
        connection = (b"keep-alive", b"Keep-Alive", *((b"Keep-alive", b"close") if odd else ()))
        fields.append((b"Connection", draw(st.sampled_from(connection))))
    version = draw(VERSIONS) if odd == "version" else b"HTTP/1.1"
    phrase = draw(PHRASES) if odd == "method" else b" OK"
    return draw(heads(b"%s %d%s" % (version, status, phrase), fields, odd)) + body


def cut(said: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    """In one piece, nearly always; or in two."""
    whole = said.map(lambda data: [data])
    places = st.tuples(said, st.integers(1, 5000))
    halves = places.map(lambda both: [both[0][: both[1]], both[0][both[1] :]])
    return whole | whole | whole | whole | halves


SAYS = cut(asked()).map(lambda pieces: [(CLIENT, piece) for piece in pieces])
ANSWERS = cut(answered()).map(lambda pieces: [(SERVER, piece) for piece in pieces])
HAPPENS = (
    st.tuples(st.sampled_from(("hangs_up", "resets", "flush")), st.sampled_from((CLIENT, SERVER)))
    | st.tuples(st.just("advance"), st.sampled_from((1, 31, 130, 400)))
    | st.tuples(st.sampled_from(("reach", "refuse")), st.none())
)
EXCHANGE = st.tuples(SAYS, ANSWERS).map(lambda both: [*both[0], *both[1]])

STEPS = st.lists(
    EXCHANGE | EXCHANGE | SAYS | ANSWERS | HAPPENS.map(lambda step: [step]), min_size=1, max_size=6
)


def upload(body: bytes) -> bytes:
    """The head of a request that has this body."""
    return b"POST /form HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: %d\r\n\r\n" % len(body)


def page(body: bytes) -> bytes:
    """The head of an answer that has this body."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)


ASKS, ANSWERED = (CLIENT, BROWSER), (SERVER, OK)
FINAL = OK.replace(b"Server: s", b"Connection: close")

ORDERS = (
    ("a whole request is the body of another one", [(CLIENT, upload(BROWSER)), ASKS, ANSWERED]),
    ("so it is, chunked", [(CLIENT, CHUNKED_FORM), ASKS, ANSWERED]),
    ("it is behind half a head", [(CLIENT, b"GET / HTTP/1.1\r\nX: "), ASKS, ANSWERED]),
    ("asked before the answer", [ASKS, ASKS, ANSWERED, ANSWERED, ASKS]),
    ("three times", [ASKS, ASKS, ASKS, (SERVER, OK * 3), ASKS, ANSWERED]),
    ("asked before there is a server", [ASKS, ASKS, ("reach", None), ANSWERED, ANSWERED]),
    ("half of it is", [ASKS, (CLIENT, BROWSER[:9]), ("reach", None), (CLIENT, BROWSER[9:])]),
    ("the client goes before there is a server", [ASKS, ("hangs_up", CLIENT), ("reach", None)]),
    ("there is none", [ASKS, ("refuse", None)]),
    ("there is none for those who asked twice", [ASKS, ASKS, ("refuse", None)]),
    ("asked behind the last answer", [ASKS, (SERVER, FINAL), ASKS]),
    ("the server has gone", [ASKS, ANSWERED, ("hangs_up", SERVER), ASKS, ("flush", CLIENT)]),
    ("the limit of requests", [ASKS, ANSWERED, ASKS, ANSWERED, ASKS, ANSWERED]),
    ("an answer is the body of another one", [ASKS, (SERVER, page(OK)), ANSWERED, ASKS, ANSWERED]),
    ("so it is, chunked", [ASKS, (SERVER, CHUNKED_PAGE), ANSWERED, ASKS, ANSWERED]),
    ("it is behind half a head", [ASKS, (SERVER, b"HTTP/1.1 200 OK\r\nX: "), ANSWERED]),
    ("an answer in advance", [ASKS, (SERVER, OK + OK), ASKS, ANSWERED]),
    ("one, in two segments", [ASKS, ANSWERED, ANSWERED, ASKS, ANSWERED]),
    ("behind a body", [ASKS, (SERVER, OK[:-1]), (SERVER, OK[-1:] + OK), ASKS, ANSWERED]),
    ("behind a body, to who asked twice", [ASKS, ASKS, (SERVER, OK[:-1]), (SERVER, OK[-1:] + OK)]),
    ("an answer to a HEAD", [(CLIENT, BROWSER.replace(b"GET", b"HEAD")), ANSWERED, ASKS]),
    ("before there is a question", [ANSWERED, ASKS, ANSWERED]),
    ("a 1xx before it", [ASKS, (SERVER, b"HTTP/1.1 103 E\r\nX: y\r\n\r\n"), ANSWERED, ASKS]),
    ("with it", [ASKS, (SERVER, b"HTTP/1.1 103 E\r\nX: y\r\n\r\n" + OK), ASKS, ANSWERED]),
    ("an end within a body", [ASKS, (SERVER, OK[:-1]), ("hangs_up", SERVER), ASKS]),
    ("a reset within a body", [ASKS, (SERVER, OK[:-1]), ("resets", SERVER), ASKS]),
    ("silence within a body", [ASKS, (SERVER, OK[:-1]), *[("advance", 130)] * 9]),
    ("silence before an answer", [ASKS, *[("advance", 130)] * 9]),
    ("silence before a request", [ASKS, ANSWERED, *[("advance", 130)] * 3]),
    ("the client leaves within a body", [ASKS, (SERVER, OK[:-1]), ("hangs_up", CLIENT)]),
)
"""Conversations, in words and in bytes."""


class SameTests(SynchronousTestCase):
    """Two sessions hear the same; one of them knows plain messages, the other one does not."""

    def talk(self, session: FakeSession, steps: list[Any]) -> tuple[Any, ...]:
        """All that can be seen of a conversation."""
        for what, how in (step for several in steps for step in several):
            if session.verdict is not None:
                break
            self.step(session, what, how)
        session.over()
        return (
            session.sent,
            session.records_of("http"),
            session.verdict,
            session.hits,
            self.order(session.events),
        )

    def order(self, events: list[str]) -> list[str]:
        """In which order it happened; in how many pieces something was sent does not matter."""
        kinds = [re.sub("^(to [a-z]+): .*", r"\1", each, flags=re.DOTALL) for each in events]
        return [kind for kind, _ in groupby(kinds)]

    def step(self, session: FakeSession, what: Any, how: Any) -> None:
        """If it can happen now."""
        if isinstance(what, Side):
            if how and (what is CLIENT or session.opened):
                session.says(what, how)
        elif what in ("reach", "refuse"):
            if session.connecting:
                getattr(session, what)()
        elif what in ("advance", "flush") or how is CLIENT or session.opened:
            getattr(session, what)(how)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(POLICIES),
        STEPS,
        st.sampled_from((True, True, None)),
        st.sets(st.sampled_from((CLIENT, SERVER))),
    )
    def test_conversations(
        self, policy: HttpSettings, steps: list[Any], reachable: bool | None, slow: set[Side]
    ) -> None:
        """Whatever both sides say, and however it ends."""
        plain, general = (
            begin(policy, way, reachable=reachable, slow=set(slow)) for way in (True, False)
        )
        one, other = self.talk(plain, steps), self.talk(general, steps)
        event(f"plain: {is_plain(plain)}")
        for mine, its in zip(one, other, strict=True):
            self.assertEqual(mine, its)

    def test_corpus(self) -> None:
        """All that other tests have thought of: wrong, odd and real."""
        rows = (*lines.LINES, *lines.FIELDS, *lines.TARGETS, *hosts.HOSTS, *framing.LENGTHS)
        refused = [row.data for row in (*rows, *framing.CODINGS, *chunks.CHUNKS)]
        good = [row.data for row in accepted.REQUESTS] + list(real.REQUESTS)
        for request in (*refused, *good):
            self.same([(CLIENT, BROWSER), (SERVER, OK), (CLIENT, request), (SERVER, OK)])
        answers = [row.data for row in (*responses.RESPONSES, *responses.CUT, *responses.EXTRA)]
        answers += [row.data for row in accepted.RESPONSES] + list(real.RESPONSES)
        for answer in answers:
            for request in (BROWSER, BROWSER.replace(b"GET", b"HEAD"), FORM):
                self.same([(CLIENT, request), (SERVER, answer), (CLIENT, BROWSER), (SERVER, OK)])
                self.same([(CLIENT, request), (SERVER, answer), ("hangs_up", SERVER)])

    def test_names(self) -> None:
        """Each header that means something, wherever it is said, once or twice."""
        values = (b"x", b"keep-alive", b"0", b"chunked")
        for name, value, again in product(SPECIAL, values, (None, b"y")):
            more = b"%s: %s\r\n" % (name, value)
            if again is not None:
                more += b"%s: %s\r\n" % (name, again)
            for request, answer in ((BROWSER, OK), (FORM, CHUNKED)):
                asks = request.replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n", 1)
                says = answer.replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n", 1)
                self.same([(CLIENT, asks), (SERVER, answer)], HttpSettings())
                self.same([(CLIENT, request), (SERVER, says)], HttpSettings())

    def test_orders(self) -> None:
        """What is plain by itself is not so wherever something else is under way."""
        for words, steps in ORDERS:
            for policy in (HttpSettings(), HttpSettings(limits=Limits(requests=2, pipelined=3))):
                for connects in (True, None):
                    one, other = (
                        self.talk(begin(policy, way, reachable=connects), [steps])
                        for way in (True, False)
                    )
                    self.assertEqual(one, other, words)

    def same(self, steps: list[Any], *policies: HttpSettings) -> None:
        """One conversation."""
        for policy in policies or (HttpSettings(), POLICY):
            one, other = (self.talk(begin(policy, way), [steps]) for way in (True, False))
            self.assertEqual(one, other, steps)

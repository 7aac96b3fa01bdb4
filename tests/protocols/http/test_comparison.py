"""
Compared with h11 and llhttp: two parsers that others use, and that we share nothing with.

What we let through, they take for the same messages, as it came and as we
wrote it. What they disagree about, we refuse.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from tests.protocols.http import test_smuggling as corpus
from tests.protocols.http.parsers import (
    ANSWER,
    Meaning,
    Refused,
    h11_requests,
    h11_response,
    llhttp,
)

LIBERAL = HttpSettings(request_bodies=True, invalid_escapes=True)
"""So that only what is ambiguous is refused."""


def passed_requests(data: bytes) -> bytes | None:
    """What the server gets, each request answered at once; L{None} if any of it is refused."""
    session = FakeSession(HttpInspector, LIBERAL).start()
    session.says(CLIENT, data)
    while session.verdict is None and session.inspector.pending.oldest is not None:  # type: ignore[attr-defined]
        if not session.inspector.pending.oldest.asked:  # type: ignore[attr-defined]
            return None  # incomplete
        session.says(SERVER, ANSWER)
    if session.verdict is not None or session.inspector.current is not None:  # type: ignore[attr-defined]
        return None
    return session.sent[SERVER]


def passed_response(method: bytes, data: bytes) -> bytes | None:
    """What the client gets of a server that ends after this."""
    session = FakeSession(HttpInspector, LIBERAL).start()
    session.says(CLIENT, method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
    session.says(SERVER, data)
    if session.verdict is None:
        session.hangs_up(SERVER)
    verdict = session.verdict
    return (
        None
        if verdict is not None and verdict.outcome is not Outcome.PASSED
        else session.sent[CLIENT]
    )


def attempt(parse: Callable[[bytes], list[Meaning]], data: bytes) -> list[Meaning] | None:
    """What a parser finds; L{None} if it refuses."""
    try:
        return parse(data)
    except Refused:
        return None


def llhttp_requests(data: bytes) -> list[Meaning]:
    """See L{llhttp}."""
    return llhttp(data, httptools.HttpRequestParser)


def bare(meanings: list[Meaning] | None) -> list[Meaning] | None:
    """See L{Meaning.bare}."""
    return None if meanings is None else [each.bare() for each in meanings]


KNOWN = (b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS")
"""Methods that llhttp knows. Bytes after a request may make another method of the next one's."""

METHODS = st.sampled_from(KNOWN)
TARGETS = st.sampled_from(
    [b"/", b"/a/b;c=d?e=f&g[]=h", b"/%41%zz", b"/?", b"//a", b"http://a/", b"*", b"/a#b", b"/\xff"]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/01.1"])
FIELDS = st.sampled_from(
    [
        b"Accept: */*",
        b"X-Empty:",
        b"X-Pad: \t x y \t",
        b"X-Obs: \xe9\xff",
        b"Content-Length: 5",
        b"Content-Length: 05",
        b"Content-Length: 0",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"content-length:5",
        b"Content-Length: 5 ",
        b"Content-Length : 5",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding:CHUNKED",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b" folded",
        b"Host: b",
        b"Connection: close",
        b"Connection: keep-alive, x",
        b"Expect: 100-continue",
        b"X: a\nb",
        b"X: a\rb",
        b"X: \x00",
        b"NoColon",
        b": x",
    ]
)
SIZES = st.sampled_from(
    [b"5"] * 9 + [b"05", b"5;a=b", b'5;a="b"', b"5 ", b"0x5", b"5;", b"5;a\tb", b"-5", b"5\n", b"f"]
)
ENDS = st.sampled_from([b"\r\n"] * 40 + [b"\n", b"\r", b""])


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    """A chunked body, often a wrong one."""
    body = b""
    for _ in range(draw(st.integers(0, 2))):
        body += draw(SIZES) + draw(ENDS) + b"hello" + draw(ENDS)
    trailers = draw(st.sampled_from([b""] * 4 + [b"X-Sum: 1\r\n", b"X : 1\r\n", b" x\r\n"]))
    return body + b"0" + draw(ENDS) + trailers + draw(ENDS)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """What comes after a head."""
    return draw(st.one_of(st.just(b""), st.just(b"hello"), chunked()))


@st.composite
def heads(draw: st.DrawFn, first: bytes) -> bytes:
    """A head, often a wrong one."""
    fields = draw(st.lists(FIELDS, max_size=4))
    return first + b"".join(line + draw(ENDS) for line in fields) + b"\r\n"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, often a wrong one."""
    line = b"%s %s %s\r\n" % (draw(METHODS), draw(TARGETS), draw(VERSIONS))
    return draw(heads(line + b"Host: a\r\n")) + draw(bodies())


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A response, often a wrong one."""
    status = draw(st.sampled_from([b"200 OK", b"404", b"204 No", b"304 ", b"500 \xe9", b"20 x"]))
    line = b"%s %s\r\n" % (draw(VERSIONS), status)
    return draw(heads(line)) + draw(bodies())


class RequestTests(SynchronousTestCase):
    """A server that uses either parser sees what the policy decided about."""

    def compare(self, data: bytes) -> bool:
        """Whether it passed."""
        passed = passed_requests(data)
        one, two = attempt(h11_requests, data), attempt(llhttp_requests, data)
        if passed is None or any(each.start[0] not in KNOWN for each in one or ()):
            return False
        self.assertEqual(bare(one), bare(two), data)
        self.assertIsNotNone(one, data)
        for parse in (h11_requests, llhttp_requests):
            self.assertEqual(bare(one), bare(attempt(parse, passed)), data)
        return True

    @settings(max_examples=400, deadline=None)
    @given(requests())
    @example(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x\r\nX: y\r\n\r\n")
    @example(corpus.CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n")
    def test_generated(self, data: bytes) -> None:
        """Whatever passes has one meaning."""
        self.compare(data)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(requests(), min_size=2, max_size=3))
    def test_pipelined(self, several: list[bytes]) -> None:
        """Not even in a row."""
        self.compare(b"".join(several))

    def test_corpus(self) -> None:
        """Of the smuggling corpus, no row passes, whatever others make of it."""
        rows = (corpus.CODINGS, corpus.CHUNKS, corpus.LINES, corpus.HOSTS)
        for name, data, _, _ in (row for table in rows for row in table):
            self.assertFalse(self.compare(data), name)

    def test_good(self) -> None:
        """What everybody understands passes."""
        for data in (
            b"GET /a?b=c|d HTTP/1.1\r\nHost: a:8080\r\nCookie: a=b; c=d\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
            b"05;a\r\nhello\r\n000\r\nX: y\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        ):
            self.assertTrue(self.compare(data), data)


class ResponseTests(SynchronousTestCase):
    """A client that uses either parser gets what the policy decided about."""

    def compare(self, method: bytes, data: bytes) -> bool:
        """Whether it passed."""
        request = Meaning((method, b"/"), (), b"")
        passed = passed_response(method, data)
        if passed is None:
            return False
        meaning = attempt(lambda data: h11_response(request, data), data)
        self.assertIsNotNone(meaning, data)
        again = attempt(lambda data: h11_response(request, data), passed)
        self.assertEqual(bare(meaning), bare(again), data)
        self.compare_llhttp(method, data, passed, meaning)
        return True

    def compare_llhttp(
        self, method: bytes, data: bytes, passed: bytes, meaning: list[Meaning] | None
    ) -> None:
        """It can't be told of HEAD, nor of the end of the connection."""
        assert meaning is not None
        names = {name for name, _ in meaning[0].headers}
        framed = names & {b"content-length", b"transfer-encoding"}
        if method == b"HEAD" or not framed or meaning[0].start[0] in (b"304", b"204"):
            return
        for each in (data, passed):
            found = attempt(lambda data: llhttp(data, httptools.HttpResponseParser), each)
            self.assertEqual(bare(meaning), bare(found), data)

    @settings(max_examples=400, deadline=None)
    @given(st.sampled_from([b"GET", b"GET", b"HEAD"]), responses())
    def test_generated(self, method: bytes, data: bytes) -> None:
        """Whatever passes has one meaning."""
        self.compare(method, data)

    def test_good(self) -> None:
        """What everybody understands passes."""
        for method, data in (
            (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
            (b"GET", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
            (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
            (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
            (b"GET", b"HTTP/1.0 200 OK\r\n\r\nhello"),
            (
                b"GET",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ),
        ):
            self.assertTrue(self.compare(method, data), data)

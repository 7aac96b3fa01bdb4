"""
Compared with h11 and llhttp: two parsers that others use, and that we share nothing with.

What we let through, they take for the same messages (method, target, headers, body,
trailers), as it came and as we wrote it. What they disagree about, we refuse.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import httptools
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from tests.protocols.http.corpus import CHUNKED, POST, accepted, real
from tests.protocols.http.corpus import Refused as Row
from tests.protocols.http.corpus.chunks import CHUNKS, TRAILERS
from tests.protocols.http.corpus.framing import CODINGS, EXPECTATIONS, LENGTHS, VERSIONS
from tests.protocols.http.corpus.hosts import HOSTS
from tests.protocols.http.corpus.lines import FIELDS as BAD_FIELDS
from tests.protocols.http.corpus.lines import LINES, OPTIONS
from tests.protocols.http.corpus.lines import TARGETS as BAD_TARGETS
from tests.protocols.http.corpus.responses import CUT, HEAD, RESPONSES
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

EXAMPLES = int(os.environ.get("HTTP_EXAMPLES", "400"))
"""Of each kind. HTTP_EXAMPLES=100000 takes ten minutes."""

many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def passed_requests(data: bytes) -> bytes | None:
    """What the server gets, each request answered at once; L{None} if any of it is refused."""
    session = FakeSession(HttpInspector, LIBERAL).start()
    session.says(CLIENT, data)
    while session.verdict is None and session.inspector.dialogue.pending.oldest is not None:  # type: ignore[attr-defined]
        if not session.inspector.dialogue.pending.oldest.asked:  # type: ignore[attr-defined]
            return None  # incomplete
        session.says(SERVER, ANSWER)
    if session.verdict is not None or session.inspector.dialogue.current is not None:  # type: ignore[attr-defined]
        return None
    if any(each["verdict"] != "passed" for each in session.records_of("http")):
        return None
    return session.sent[SERVER]


def passed_response(method: bytes, data: bytes) -> bytes | None:
    """What the client gets of a server that ends after this."""
    session = FakeSession(HttpInspector, LIBERAL).start()
    session.says(CLIENT, method + b" / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n")
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


def llhttp_response(data: bytes) -> list[Meaning]:
    """The last of them; before it there may be interim ones."""
    return llhttp(data, httptools.HttpResponseParser, ended=True)[-1:]


def bare(meanings: list[Meaning] | None) -> list[Meaning] | None:
    """See L{Meaning.bare}."""
    return None if meanings is None else [each.bare() for each in meanings]


PUT_RIGHT = re.compile(
    rb"\r\n[^\r\n:]*[\t ]:|(?i:content-length)[^\r\n]*,|(?i:content-length).*(?i:content-length)|"
    rb"\r\n[0-9A-Fa-f]+(?:;[^\r\n]*)?[\t ]",
    re.DOTALL,
)
"""What the gateway puts right in responses, and stricter readers than it refuse."""

METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH"])
TARGETS = st.sampled_from(
    [b"/", b"/a/b;c=d?e=f&g[]=h", b"/%41%zz", b"/?", b"//a", b"http://a/", b"*", b"/a#b", b"/\xff"]
)
VERSIONS_ = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/01.1"])
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
        b"Content_Length: 5",
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
        b"Connection: upgrade",
        b"Upgrade: h2c",
        b"Proxy-Connection: keep-alive",
        b"TE: trailers",
        b"Trailer: X-Sum",
        b"Expect: 100-continue",
        b"X: a\nb",
        b"X: a\rb",
        b"X: \x00",
        b"NoColon",
        b": x",
    ]
)
SIZES = st.sampled_from(
    [b"5"] * 9
    + [b"05", b"5;a=b", b'5;a="b"', b"5 ", b"0x5", b"5;", b"5;a\tb", b"-5", b"5\n", b"f"]
    + [b"5;a", b"5 ;a", b"5; a", b"5;a;b", b'5;"a"', b'5;a="b', b"5;a=b;", b"\t5", b"000000005"]
)
ENDS = st.sampled_from([b"\r\n"] * 40 + [b"\n", b"\r", b"", b"\r\r\n", b"\n\r", b" \r\n"])
LASTS = st.sampled_from([b"0"] * 20 + [b"00", b"0;a=b", b"0 ", b"0x0", b"-0", b"0;"])
TRAILING = st.sampled_from(
    [b""] * 4 + [b"X-Sum: 1\r\n", b"X-Sum:1 \r\ny:z\r\n", b"X : 1\r\n", b" x\r\n", b"Host: b\r\n"]
)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    """A chunked body, often a wrong one."""
    body = b""
    for _ in range(draw(st.integers(0, 2))):
        body += draw(SIZES) + draw(ENDS) + b"hello" + draw(ENDS)
    return body + draw(LASTS) + draw(ENDS) + draw(TRAILING) + draw(ENDS)


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
    line = b"%s %s %s\r\n" % (draw(METHODS), draw(TARGETS), draw(VERSIONS_))
    return draw(heads(line + b"Host: a\r\n")) + draw(bodies())


@st.composite
def chunked_requests(draw: st.DrawFn) -> bytes:
    """A good head, and chunks that are often wrong."""
    return CHUNKED + draw(chunked())


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A response, often a wrong one."""
    before = draw(st.sampled_from([b""] * 5 + [b"HTTP/1.1 100 Continue\r\n\r\n"]))
    status = draw(st.sampled_from([b"200 OK", b"404", b"204 No", b"304 ", b"500 \xe9", b"20 x"]))
    line = b"%s %s\r\n" % (draw(VERSIONS_), status)
    return before + draw(heads(line)) + draw(bodies())


PIECES = st.sampled_from(
    [
        *(bytes([code]) for code in b"\r\n\0\t\x0b\x7f\x85\xa0\xff :,;=\"'0_#\\"),
        *(b"\r\n", b"\r\n\r\n", b"\r\n ", b"HTTP/1.1", b"GET", b"Host: b\r\n"),
        *(b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn, messages: tuple[bytes, ...]) -> bytes:
    """A good message in which something was put in, taken out, doubled or exchanged."""
    data = draw(st.sampled_from(messages))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.sampled_from([0, 0, 1, 1, 2, 4, 30]))
        what = draw(st.sampled_from(["put", "put", "take", "double", "lines"]))
        if what == "put":
            data = data[:start] + draw(PIECES) + data[end:]
        elif what == "take":
            data = data[:start] + data[end:]
        elif what == "double":
            data = data[:end] + data[start:end] + data[end:]
        else:
            lines = data.split(b"\r\n")
            line = lines.pop(draw(st.integers(0, len(lines) - 1)))
            lines.insert(draw(st.integers(0, len(lines))), line)
            data = b"\r\n".join(lines)
    return data


AMBIGUOUS: tuple[Row, ...] = (
    *(*LENGTHS, *CODINGS, *CHUNKS, *TRAILERS, *LINES, *BAD_FIELDS, *HOSTS),
)
GOOD_REQUESTS = (*real.REQUESTS, *(row.data for row in accepted.REQUESTS if len(row.data) < 1000))
GOOD_RESPONSES = tuple(
    data
    for data in (*real.RESPONSES, *(row.data for row in accepted.RESPONSES))
    if b" 205 " not in data  # which is framed anew
)


class RequestTests(SynchronousTestCase):
    """A server that uses either parser sees what the policy decided about."""

    def compare(self, data: bytes) -> bool:
        """Whether it passed."""
        passed = passed_requests(data)
        if passed is None:
            return False
        one, two = attempt(h11_requests, data), attempt(llhttp_requests, data)
        self.assertEqual(bare(one), bare(two), data)
        self.assertIsNotNone(one, data)
        for parse in (h11_requests, llhttp_requests):
            self.assertEqual(bare(one), bare(attempt(parse, passed)), data)
        return True

    @many
    @given(requests())
    @example(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x\r\nX: y\r\n\r\n")
    @example(CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n")
    @example(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    @example(POST + b"Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx")
    def test_generated(self, data: bytes) -> None:
        """Whatever passes has one meaning."""
        self.compare(data)

    @many
    @given(chunked_requests())
    def test_chunks(self, data: bytes) -> None:
        """Bodies and trailers, too."""
        self.compare(data)

    @many
    @given(mutated(GOOD_REQUESTS))
    def test_mutated(self, data: bytes) -> None:
        """What real programs send, and one thing wrong with it."""
        self.compare(data)

    @many
    @given(st.lists(requests() | st.sampled_from(GOOD_REQUESTS), min_size=1, max_size=3))
    def test_pipelined(self, several: list[bytes]) -> None:
        """Not even in a row; and a second time, as headers that come again are not read again."""
        self.compare(b"".join(several))
        self.compare(b"".join(several * 2))

    def test_refused(self) -> None:
        """Of the smuggling corpus, no row passes, whatever others make of it."""
        for row in (*AMBIGUOUS, *VERSIONS, *EXPECTATIONS, *OPTIONS, *BAD_TARGETS):
            if not row.reason.endswith("with a body"):  # clear enough, if somewhat unusual
                self.assertFalse(self.compare(row.data), row.name)

    def test_disagreement(self) -> None:
        """The corpus is worth something: h11 and llhttp disagree about many of its rows."""
        differ = [
            row.name
            for row in AMBIGUOUS
            if bare(attempt(h11_requests, row.data)) != bare(attempt(llhttp_requests, row.data))
        ]
        self.assertGreater(len(differ), 40)

    def test_good(self) -> None:
        """What everybody understands passes."""
        for data in GOOD_REQUESTS:
            self.assertTrue(self.compare(data), data)


class ResponseTests(SynchronousTestCase):
    """A client that uses either parser gets what the policy decided about."""

    def compare(self, method: bytes, data: bytes) -> bool:
        """Whether it passed."""
        request = Meaning((method, b"/"), (), b"")
        passed = passed_response(method, data)
        if passed is None:
            return False
        parsers = [lambda data: h11_response(request, data)]
        if method != b"HEAD":  # which llhttp can't be told, so that it waits for a body
            parsers.append(llhttp_response)
        meaning = bare(attempt(parsers[0], passed))
        self.assertIsNotNone(meaning, data)
        for parse in parsers:
            self.assertEqual(bare(attempt(parse, passed)), meaning, data)
            before = bare(attempt(parse, data))
            if before is not None or PUT_RIGHT.search(data) is None:
                self.assertEqual(before, meaning, data)
        return True

    @many
    @given(st.sampled_from([b"GET", b"GET", b"HEAD"]), responses())
    def test_generated(self, method: bytes, data: bytes) -> None:
        """Whatever passes has one meaning."""
        self.compare(method, data)

    @many
    @given(chunked())
    def test_chunks(self, data: bytes) -> None:
        """Bodies and trailers, too."""
        self.compare(b"GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data)

    @many
    @given(mutated(GOOD_RESPONSES))
    def test_mutated(self, data: bytes) -> None:
        """What real servers send, and one thing wrong with it."""
        self.compare(b"GET", data)

    def test_refused(self) -> None:
        """Of the corpus, no row passes."""
        for row in (*RESPONSES, *CUT):
            if "nobody asked for" in row.reason:
                continue  # here somebody did
            if row.request.startswith((b"GET", b"HEAD")) and b"HTTP/1.1" in row.request:
                method = b"HEAD" if row.request == HEAD else b"GET"
                self.assertFalse(self.compare(method, row.data), row.name)

    def test_good(self) -> None:
        """What everybody understands passes."""
        for data in GOOD_RESPONSES:
            self.assertTrue(self.compare(b"GET", data), data)
        for data in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n",
        ):
            self.assertTrue(self.compare(b"HEAD", data), data)

"""
Attackers on both sides, who know how the gateway works.

One asks for what is forbidden in ways that servers understand and policies don't; one keeps
the gateway busy, or has it keep much; one has the other side take bytes for another message.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome, Side
from gateway.testing import FakeSession
from protocols.hosts import read_hosts
from protocols.http.inspector import HttpInspector
from protocols.http.policy.patterns import read_paths, read_values
from protocols.http.policy.settings import HttpSettings
from protocols.http.policy.test import RequestTest
from tests.protocols.http.policy.case import PolicyCase
from tests.protocols.http.test_transactions import GET, OK, PUT, ask, limits, records

SEGMENT = 65536
SMUGGLED = b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"


def denied(case: Any, session: FakeSession) -> str:
    """Why the session was."""
    assert session.verdict is not None
    case.assertIs(session.verdict.outcome, Outcome.DENIED)
    return session.verdict.reason


class ForbiddenTests(PolicyCase):
    """A client wants what the policy does not allow, by another spelling of it."""

    def barred(self, settings: HttpSettings, request: bytes) -> None:
        """Nothing of it reaches the server."""
        session = ask(request, settings)
        self.assertEqual(session.sent[SERVER], b"", request)
        self.assertIn(session.sent[CLIENT][:12], (b"HTTP/1.1 403", b"HTTP/1.1 400"), request)

    def test_path(self) -> None:
        """Whoever forbids a folder has forbidden it for all servers, generous ones included."""
        test = RequestTest(path=read_paths(("/admin", "/admin/*")))  # type: ignore[call-arg]
        settings = HttpSettings(request=(test,))
        for path in (
            b"/admin",
            b"/%61dmin",
            b"//admin/x",
            b"/./admin/x",
            b"/x/../admin/x",
            b"/x/%2e%2e/admin",
            b"/x/..%2fadmin/x",
            b"/x/..%5cadmin",
            b"/x%2f..%2fadmin",
            b"/admin;x",
            b"/admin;x/y",
            b"/admin;/x",
            b"/;x/admin",
            b"/x/..;y/admin/x",
            b"/x;y/../admin",
            b"/admin%3bx/y",
            b"/admin/",
            b"/admin/.",
            b"/admin//",
            b"/admin%00",
            b"/admin%00.html",
            b"/x/%c0%ae%c0%ae/admin",
            b"/x/..%C0%AFadmin",
            b"/x/%e0%80%ae./admin",
            b"/x/%f0%80%80%ae./admin",
            b"/admin\\x",
            b"/admin#x",
            b"http://a/admin",
            b"http://a/x/..%2fadmin",
            b"/admin?x",
            b"/admin?/../x",
        ):
            self.barred(settings, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")

    def test_patterns(self) -> None:
        """A line end in a path, or anything else in it, does not make it unlike a pattern."""
        for pattern in ("~/admin.*", "/admin*", "~/(admin|x).*y?"):
            test = RequestTest(path=read_paths((pattern,)))  # type: ignore[call-arg]
            for path in (b"/admin%0Ax", b"/admin%0a", b"/admin%0d%0ax", b"/admin%e2%80%a8x"):
                request = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"
                self.barred(HttpSettings(request=(test,)), request)

    def test_path_that_is_allowed(self) -> None:
        """Nor does anybody leave the only folder that is allowed."""
        settings = HttpSettings(paths=read_paths(("/public/*",)))
        for path in (
            b"/public/../admin",
            b"/public/%2e%2e/admin",
            b"/public/..;/admin",
            b"/public/..%2fadmin",
            b"/public/..%5cadmin",
            b"/public/x/../../admin",
            b"/public/;/../../admin",
            b"/public;/../admin",
            b"/public",
            b"*",
        ):
            self.barred(settings, b"OPTIONS " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")

    def test_host(self) -> None:
        """One host is one host, however its name is written, and wherever it is said."""
        settings = HttpSettings(hosts=read_hosts(("good", "192.0.2.1")))
        for line, host in (
            (b"/", b"evil"),
            (b"http://evil/", b"good"),
            (b"http://good/", b"evil"),
            (b"http://good@evil/", b"good"),
            (b"http://evil#@good/", b"good"),
            (b"//evil/", b"evil"),
            (b"/", b"good, evil"),
            (b"/", b"good evil"),
            (b"/", b"evil\t"),
            (b"/", b"good:80@evil"),
            (b"/", b"evil:good"),
            (b"/", b"evil/good"),
            (b"/", b"good\x00.evil"),
            (b"/", b"3221225985"),
            (b"/", b"0xc0.0.2.1"),
            (b"/", b"192.0.2.01"),
            (b"/", b"[::ffff:192.0.2.1]"),
            (b"/", b"good\r\nHost: evil"),
            (b"/", b"good\r\n Host: evil"),
        ):
            self.barred(settings, b"GET " + line + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        for host in (b"GOOD", b"good.", b"good:8080", b"192.0.2.1"):
            session = ask(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", settings)
            self.assertNotEqual(session.sent[SERVER], b"", host)

    def test_method(self) -> None:
        """Methods are what they are to the byte; whatever a server may make of another one."""
        settings = HttpSettings(methods=frozenset({"GET"}))
        for method in (b"POST", b"get", b"Get", b"GETX", b"GET\xa0", b"\tGET", b"GE T", b"CONNECT"):
            self.barred(settings, method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")

    def test_lookalikes(self) -> None:
        """What the policy says of a header holds for all names that CGI takes for the same."""
        for line in (b"X-User-Id", b"x_user_id", b"X_User-Id", b"X-User_ID"):
            request = b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b": root\r\n\r\n"
            values = read_values({"X-User-Id": "root"})
            test = RequestTest(header=values)  # type: ignore[call-arg]
            self.barred(HttpSettings(request=(test,)), request)
            for policy in ('remove = ["X-User-Id"]', 'set = {X-User-Id = "joe"}'):
                sent = self.reaches(f"[http.request_headers]\n{policy}", request)
                self.assertNotIn(b"root", sent)
            for action in ("drop-header", 'set-header"\nvalue = "joe'):
                text = f'[[http.request]]\naction = "{action}"\nname = "X-User-Id"'
                self.assertNotIn(b"root", self.reaches(text, request))
            self.assertEqual(
                self.reaches("[http.request_headers]\nlimit = {X-User-Id = 3}", request), b""
            )

    def reaches(self, text: str, request: bytes) -> bytes:
        """What reaches the server by a policy as an operator writes it."""
        return ask(request, self.settings(text)).sent[SERVER]


class BusyTests(SynchronousTestCase):
    """A peer sends what is cheap for it and dear for the gateway."""

    def test_refused_requests(self) -> None:
        """One who only asks for what is refused is parted from; others go on."""
        refused = b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"
        session = ask(refused * 2000)
        self.assertIn("the method TRACE is not allowed", denied(self, session))
        self.assertEqual(len(records(session)), 20)
        self.assertEqual(session.sent[CLIENT].count(b"HTTP/1.1 403"), 20)
        self.assertEqual(session.sent[CLIENT].count(b"\r\nConnection: close\r\n"), 1)
        self.assertEqual(len(records(ask(refused * 30, limits(refusals=3)))), 3)
        session = ask(refused * 30, limits(refusals=0))
        self.assertEqual(len(records(session)), 30)
        self.assertIsNone(session.verdict)

    def test_many_headers(self) -> None:
        """They are counted before they are read."""
        lines = b"".join(b"%x:\r\n" % number for number in range(9000))
        session = ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\x00\r\n\r\n")
        self.assertIn("more than 100 headers", denied(self, session))

    def test_interim_responses(self) -> None:
        """A server says 1xx and nothing else: few reach the client."""
        session = ask(GET % 1)
        session.says(SERVER, b"HTTP/1.1 102 Processing\r\n\r\n" * 5000)
        self.assertIn("more than 60 interim responses", denied(self, session))
        self.assertEqual(session.sent[CLIENT].count(b" 102 "), 60)

    def test_empty_lines(self) -> None:
        """In front of a request, there is none."""
        self.assertEqual(denied(self, ask(b"\r\n" * 30000)), "not a request line: '\\r'")

    def held(self, side: Side, begin: bytes, more: bytes) -> int:
        """Bytes that a session holds after much of the same."""
        session = FakeSession(HttpInspector, keep=False).start()
        if side is SERVER:
            session.says(CLIENT, GET % 1)
        session.says(side, begin)
        block = more * (SEGMENT // len(more))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(4):
                session.says(side, block)
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
            session.over()

    def test_memory(self) -> None:
        """Whatever goes on without an end, no more of it is kept than a segment or a limit."""
        post = b"POST / HTTP/1.1\r\nHost: a\r\n"
        answer = b"HTTP/1.1 200 OK\r\n"
        for side, begin, more in (
            (CLIENT, post + CHUNKED, b"1\r\na\r\n"),
            (CLIENT, post + CHUNKED, b'1;a="' + b"\\a" * 100 + b'"\r\na\r\n'),
            (CLIENT, post + CHUNKED + b"0\r\n", b"a:\r\n"),
            (CLIENT, post + CHUNKED + b"1\r\na\r\n", b"0"),
            (CLIENT, post, b"a:\r\n"),
            (CLIENT, post, b"a"),
            (SERVER, answer + CHUNKED, b"1\r\na\r\n"),
            (SERVER, answer + CHUNKED + b"0\r\n", b"a:\r\n"),
            (SERVER, answer, b"a:\r\n"),
            (SERVER, b"HTTP/1.1 200 ", b"a"),
            (SERVER, b"", b"HTTP/1.1 103 x\r\n\r\n"),
            (SERVER, b"", OK),
            (SERVER, answer + b"\r\n", b"anything"),
        ):
            self.assertLess(self.held(side, begin, more), 2 * SEGMENT, (side, begin, more))


class EarlyAnswerTests(SynchronousTestCase):
    """A server answers before it has the whole request; a client makes something of that."""

    def test_goes_on(self) -> None:
        """What is left of the body is still the body: it is sent on, and the next request after."""
        session = ask(PUT + b"\r\na")
        session.says(SERVER, EARLY)
        self.assertEqual(session.sent[CLIENT], EARLY)
        session.says(CLIENT, b"bc" + GET % 2)
        self.assertEqual(session.sent[SERVER], PUT + b"\r\nabc" + GET % 2)
        session.says(SERVER, OK)
        self.assertEqual(session.sent[CLIENT], EARLY + OK)
        self.assertEqual([each["verdict"] for each in records(session)], ["passed", "passed"])

    def test_hidden_request(self) -> None:
        """
        A server that does not read bodies takes one for a request, and answers it: that answer
        reaches nobody, and nothing is asked on this connection any more.
        """
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
        for whole in (True, False):
            session = ask(head + SMUGGLED if whole else head + SMUGGLED[:5])
            session.says(SERVER, OK + OK if whole else OK)
            if not whole:
                session.says(CLIENT, SMUGGLED[5:] + GET % 2)
                session.says(SERVER, OK + OK)
                self.assertNotIn(GET % 3, session.sent[SERVER])
            session.says(CLIENT, GET % 3)
            self.assertNotIn(GET % 3, session.sent[SERVER])
            self.assertIn("answers no request", denied(self, session))

    def test_answer_before_the_next_request(self) -> None:
        """A second answer that waits for the next request in this way is not that one's."""
        session = ask(PUT + b"\r\na")
        session.says(SERVER, EARLY + OK)
        self.assertEqual(session.sent[CLIENT], EARLY)
        self.assertIn("answers no request", denied(self, session))

    def test_last(self) -> None:
        """After an answer that was the last one, the rest of the body is bounded by its frame."""
        session = ask(PUT + b"\r\na")
        last = EARLY[:-2] + b"Connection: close\r\n\r\n"
        session.says(SERVER, last)
        self.assertEqual(session.sent[CLIENT], last)
        self.assertIn(CLIENT, session.halves)
        session.says(CLIENT, b"bc" + GET % 2)
        self.assertEqual(session.sent[SERVER], PUT + b"\r\nabc")
        self.assertEqual(session.sent[CLIENT], last)
        self.assertIsNotNone(session.verdict)

    def test_wrong_rest(self) -> None:
        """A body that breaks its framing after the answer: no second answer, but a reset."""
        session = ask(b"PUT / HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"1\r\na\r\n")
        session.says(SERVER, EARLY)
        session.says(CLIENT, b"x\r\n")
        self.assertEqual(session.sent[CLIENT], EARLY)
        self.assertIn("not the size of a chunk", denied(self, session))

    def test_slow_rest(self) -> None:
        """One that does not go on is no reason to wait for ever."""
        session = ask(PUT + b"\r\na")
        session.says(SERVER, EARLY)
        session.advance(100)
        self.assertIn("comes too slowly", denied(self, session))
        self.assertEqual(session.sent[CLIENT], EARLY)


class TunnelTests(SynchronousTestCase):
    """A server that agrees to a tunnel does not say where its first message ends."""

    def test_framed(self) -> None:
        """Some clients would take the beginning of the tunnel for a body (RFC 9110, 9.3.6)."""
        request = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
        for framed in (b"Content-Length: 5\r\n\r\n", CHUNKED):
            session = ask(request, HttpSettings(connect=True))
            session.says(SERVER, b"HTTP/1.1 200 OK\r\n" + framed + b"hello")
            self.assertIn("with a body", denied(self, session))
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 502 "))

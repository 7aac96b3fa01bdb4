"""All of the policy, in order; and its settings."""

from __future__ import annotations

from base64 import b64encode

import bcrypt

from gateway.interfaces import CLIENT, SERVER
from gateway.policy.reference import reference
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.policy.decisions import Decisions
from tests.protocols.http.policy.case import MAKER, PolicyCase, answers, asks


class BasicTests(PolicyCase):
    """The keys of C{[http]} itself."""

    def status(self, text: str, *request: str) -> int:
        """The status of the refusal; 0 if it passes."""
        decisions = self.decisions(text)
        if self.passes(decisions, asks(*request)):
            return 0
        return self.refused(self.decide(decisions, asks(*request))).status

    def test_default(self) -> None:
        """Without a policy, what browsers do passes, and tunnels and TRACE don't."""
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            self.assertEqual(self.status("", "/", method), 0)
        self.assertEqual(self.status("", "/", "TRACE"), 403)
        self.assertEqual(self.status("", "/", "get"), 403)
        self.assertEqual(self.status("", "a.example:443", "CONNECT"), 403)

    def test_methods(self) -> None:
        """Only those that are listed."""
        self.assertEqual(self.status('methods = ["GET"]', "/", "POST"), 403)
        self.assertEqual(self.status('methods = ["GET", "PROPFIND"]', "/", "PROPFIND"), 0)

    def test_any_method(self) -> None:
        """A star stands for every method, but not for tunnels."""
        self.assertEqual(self.status('methods = ["*"]', "/", "BREW"), 0)
        self.assertEqual(self.status('methods = ["*"]', "/", "TRACE"), 0)
        self.assertEqual(self.status('methods = ["*"]', "a.example:443", "CONNECT"), 403)

    def test_hosts(self) -> None:
        """Only those that are listed; tunnels too."""
        text = 'hosts = [".example.com"]\nconnect = true'
        self.assertEqual(self.status(text, "/", "GET", "a.example.com"), 0)
        self.assertEqual(self.status(text, "/", "GET", "example.org"), 403)
        self.assertEqual(self.status(text, "a.example.com:443", "CONNECT"), 0)
        self.assertEqual(self.status(text, "b.example:443", "CONNECT"), 403)

    def test_nobody(self) -> None:
        """An empty list allows nothing."""
        self.assertEqual(self.status("hosts = []"), 403)
        self.assertEqual(self.status("methods = []"), 403)

    def test_paths(self) -> None:
        """Only those that are listed, however they are written."""
        text = 'paths = ["/public/*"]'
        self.assertEqual(self.status(text, "/public/a"), 0)
        self.assertEqual(self.status(text, "/%70ublic/a"), 0)
        self.assertEqual(self.status(text, "/public/..%2fprivate"), 403)
        self.assertEqual(self.status(text, "/private"), 403)

    def test_ports(self) -> None:
        """Those of the connection; those of tunnels are others."""
        self.assertEqual(self.status("ports = [80]"), 0)
        self.assertEqual(self.status('ports = ["8000-8099"]'), 403)
        self.assertEqual(self.status("connect = true", "a.example:22", "CONNECT"), 403)
        text = "connect = true\nconnect_ports = [22]"
        self.assertEqual(self.status(text, "a.example:22", "CONNECT"), 0)

    def test_escapes(self) -> None:
        """Invalid ones are refused in paths, if nobody says otherwise; queries are as they are."""
        self.assertEqual(self.status("", "/a%zz?b"), 400)
        self.assertEqual(self.status("", "/a?b=%zz"), 0)
        self.assertEqual(self.status("invalid_escapes = true", "/a%zz?b"), 0)

    def test_untouched(self) -> None:
        """Without a policy, a message stays the object that it is."""
        request, response = asks(), answers()
        decisions = self.decisions("")
        self.assertIs(self.passed(self.decide(decisions, request)), request)
        self.assertIs(self.passed(decisions.response(response)), response)

    def test_wrong(self) -> None:
        """What can't be meant is refused, all of it at once, where it is written."""
        problems = self.problems(
            'methods = ["get"]\nhosts = ["http://x"]\nports = ["http"]\n'
            'connect_ports = [0]\npaths = ["x"]\nmethdos = []'
        )
        self.assertEqual(
            [problem.partition(": ")[2].partition(":")[0] for problem in problems],
            [
                "http.methods",
                "http.hosts",
                "http.ports",
                "http.connect_ports",
                "http.paths",
                "http.methdos",
            ],
        )
        self.assertIn('"GET"', problems[0])
        self.assertTrue(problems[0].startswith("services/web.toml:3:1: "))
        self.assertIn("connect = true", self.problems('methods = ["CONNECT"]')[0])
        self.assertIn("not a method", self.problems('methods = ["A B"]')[0])

    def test_reference(self) -> None:
        """The reference has all of it."""
        text = reference([MAKER])
        for title in ("[[http.request]]", "[http.content]", "[http.pages]", "[http.limits]"):
            self.assertIn(f"### `{title}`", text)


class SessionTests(PolicyCase):
    """The inspector asks the policy."""

    def session(self, text: str) -> FakeSession:
        return FakeSession(HttpInspector, self.settings(text)).start()

    def test_by_default(self) -> None:
        """Without settings, the policy is the default one."""
        session = FakeSession(HttpInspector).start()
        assert isinstance(session.inspector, HttpInspector)
        self.assertIsInstance(session.inspector.dialogue.decisions, Decisions)

    def test_refused(self) -> None:
        """The client reads why, the server hears nothing, the record tells all."""
        session = self.session('[[http.request]]\nanswer = 451\nmessage = "Not here."')
        session.says(CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertIn(b"HTTP/1.1 451 ", session.sent[CLIENT])
        self.assertIn(b"\r\nCache-Control: no-store\r\n", session.sent[CLIENT])
        self.assertIn(b"Not here.", session.sent[CLIENT])
        self.assertEqual(session.sent[SERVER], b"")

    def test_silent(self) -> None:
        """Or it reads nothing at all."""
        session = self.session('[[http.request]]\naction = "close"')
        session.says(CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(session.sent[CLIENT], b"")
        self.assertIsNotNone(session.verdict)

    def test_user(self) -> None:
        """The record says who asked."""
        hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4))
        text = '[http.authentication]\nusers = "users"'
        settings = self.settings(text, {"users": b"alibaba:" + hashed})
        session = FakeSession(HttpInspector, settings).start()
        given = b64encode(b"alibaba:sesame")
        session.says(
            CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic %s\r\n\r\n" % given
        )
        session.says(SERVER, b"HTTP/1.1 204 No\r\n\r\n")
        (record,) = session.records_of("http")
        self.assertEqual(record["username"], "alibaba")

    def upload(self, request: bytes) -> FakeSession:
        session = self.session('[http.request_content]\nrefuse = ["application/x-executable"]')
        session.says(CLIENT, request)
        return session

    def test_uploaded(self) -> None:
        """A program that is called a picture does not reach the server; a picture does, whole."""
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: image/png\r\n%s\r\n"
        length, chunks = b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n"
        for framing, body in ((length, b"MZ\x90\0"), (chunks, b"1\r\nM\r\n1\r\nZ\r\n0\r\n\r\n")):
            session = self.upload(head % framing + body)
            self.assertIn(b"HTTP/1.1 415 ", session.sent[CLIENT])
            self.assertEqual((session.sent[SERVER], session.connected), (b"", []))
        for framing, body in ((length, b"abcd"), (chunks, b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")):
            session = self.upload(head % framing + body)
            self.assertEqual(session.sent[SERVER], head % framing + body)

    def test_uploaded_at_length(self) -> None:
        """Of a long body no more is held than is looked at."""
        request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n"
        session = self.upload(request + b"a" * 511)
        self.assertEqual(session.sent[SERVER], b"")
        session.says(CLIENT, b"a")
        self.assertEqual(session.sent[SERVER], request + b"a" * 512)
        session.says(CLIENT, b"b" * 1488)
        self.assertEqual(session.sent[SERVER], request + b"a" * 512 + b"b" * 1488)

    def test_uploaded_after_asking(self) -> None:
        """A client that waits to be asked for its body is asked by the gateway, once."""
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
        session = self.upload(head + b"Expect: 100-continue\r\n\r\n")
        self.assertEqual(session.sent[CLIENT], b"HTTP/1.1 100 Continue\r\n\r\n")
        session.says(CLIENT, b"abcd")
        self.assertEqual(session.sent[SERVER], head + b"\r\nabcd")

    def test_trailers(self) -> None:
        """What may not come as a header may not come behind the body either, in both directions."""
        session = self.session(
            '[http.request_headers]\nremove = ["X-Secret"]\nset = {X-Set = "1"}\n'
            '[http.response_headers]\nonly = ["X-Sum"]\nrename = {X-Sum = "X-Total"}\n'
        )
        chunks = b"Transfer-Encoding: chunked\r\n%s\r\n0\r\nX-Secret: 1\r\nX-Sum: 2\r\n\r\n"
        session.says(CLIENT, b"POST / HTTP/1.1\r\nHost: h\r\n" + chunks % b"")
        asked = b"POST / HTTP/1.1\r\nHost: h\r\n" + chunks % b"X-Set: 1\r\n"
        self.assertEqual(session.sent[SERVER], asked.replace(b"X-Secret: 1\r\n", b""))
        session.says(SERVER, b"HTTP/1.1 200 OK\r\n" + chunks % b"")
        answered = (b"HTTP/1.1 200 OK\r\n" + chunks % b"").replace(b"X-Secret: 1\r\n", b"")
        self.assertEqual(session.sent[CLIENT], answered.replace(b"X-Sum", b"X-Total"))

    def test_long_trailers(self) -> None:
        """Nor may it be longer there."""
        session = self.session("[http.request_headers]\nlimit = {X-Sum = 3}")
        head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        session.says(CLIENT, head + b"0\r\nX-Sum: 1234\r\n\r\n")
        self.assertIn(b"HTTP/1.1 431 ", session.sent[CLIENT])

    def test_interim(self) -> None:
        """Nor in a response before the response."""
        session = self.session('[http.response_headers]\nremove = ["Link"]\nset = {X-Set = "1"}')
        session.says(CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        session.says(SERVER, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX: y\r\n\r\n")
        self.assertEqual(session.sent[CLIENT], b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")
        session = self.session("[http.response_headers]\nlimit = {Link = 1}")
        session.says(CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        session.says(SERVER, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        self.assertIn(b"HTTP/1.1 502 ", session.sent[CLIENT])

    def test_disguised(self) -> None:
        """A program that is called a picture does not reach the client."""
        session = self.session('[http.content]\nrefuse = ["application/x-executable"]')
        session.says(CLIENT, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        session.says(
            SERVER,
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\nMZ\x90\0",
        )
        self.assertIn(b"HTTP/1.1 403 ", session.sent[CLIENT])
        self.assertNotIn(b"MZ\x90", session.sent[CLIENT])

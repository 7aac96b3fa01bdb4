"""
What the gateway itself answers, judged by the linter of REDbot: nothing is wrong with it.

One reply of each status, and of each form that a client can ask for.
"""

from __future__ import annotations

from collections.abc import Iterator

import bcrypt
from httplint import HttpRequestLinter, HttpResponseLinter
from httplint.note import levels

from gateway.interfaces import CLIENT, SERVER, Address
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from tests.protocols.http.policy.case import PolicyCase

HOST = Address("198.51.100.2", 80)

FORMS = {
    "text/html": b"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n",
    "application/json": b"Accept: application/json\r\n",
    "application/problem+json": b"Accept: application/problem+json\r\n",
    "text/plain": b"",
}

POLICY = """
host_check = "literal"
[http.limits]
request_line_bytes = 200
header_line_bytes = 200
request_body_bytes = 10
[http.request_content]
allow = ["text/plain"]
[[http.request]]
path = ["/there"]
action = "redirect"
location = "http://example.com/elsewhere?a=b"
[[http.request]]
path = ["/gone"]
action = "deny"
answer = 410
message = "It is <gone>."
"""

GUARDED = """
[http.authentication]
users = "users"
"""


MISTAKEN = "The WWW-Authenticate field value isn't valid."
"""This version of the linter cuts a challenge apart at its commas."""


def until_answered(session: FakeSession) -> None:
    """Let time pass."""
    while not session.sent[CLIENT]:
        session.advance(1)


class LintTests(PolicyCase):
    """Clients of all kinds can make sense of what the gateway says."""

    def session(self, settings: HttpSettings, **options: object) -> FakeSession:
        """A client that was admitted."""
        return FakeSession(HttpInspector, settings, server=HOST, **options).start()  # type: ignore[arg-type]

    def refusals(self, form: bytes) -> Iterator[tuple[int, bytes]]:
        """Requests that are refused by what they are, and the status."""
        get = b"GET / HTTP/1.1\r\nHost: a\r\n" + form
        put = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n" + form
        yield 302, get.replace(b" / ", b" /there ") + b"\r\n"
        yield 400, get + b"X : y\r\n\r\n"
        yield 400, b"nonsense\r\n\r\n"
        yield 403, get.replace(b"GET", b"TRACE") + b"\r\n"
        yield 403, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n" + form + b"\r\n"
        yield 403, get + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        yield 410, get.replace(b" / ", b" /gone ") + b"\r\n"
        yield 413, put + b"Content-Length: 11\r\n\r\n"
        yield 414, b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nHost: a\r\n" + form + b"\r\n"
        yield 415, put.replace(b"/plain", b"/html") + b"Content-Length: 1\r\n\r\n"
        yield 417, put + b"Content-Length: 1\r\nExpect: x\r\n\r\n"
        yield 421, get.replace(b"Host: a", b"Host: 192.0.2.9") + b"\r\n"
        yield 431, get + b"X: " + b"a" * 300 + b"\r\n\r\n"
        yield 501, put + b"Transfer-Encoding: gzip\r\n\r\n"
        yield 505, b"GET / HTTP/1.2\r\nHost: a\r\n" + form + b"\r\n"
        yield 400, get.replace(b"GET", b"HEAD") + b"Content-Length: 1\r\n\r\n"

    def replies(self, form: bytes) -> Iterator[tuple[int, bytes, FakeSession]]:
        """All kinds: status, request, and who got it."""
        settings = self.settings(POLICY)
        for status, request in self.refusals(form):
            session = self.session(settings)
            session.says(CLIENT, request)
            yield status, request, session
        get = b"GET / HTTP/1.1\r\nHost: a\r\n" + form + b"\r\n"
        users = {"users": b"a:" + bcrypt.hashpw(b"b", bcrypt.gensalt(4)) + b"\n"}
        session = self.session(self.settings(GUARDED, users))
        session.says(CLIENT, get)
        yield 401, get, session
        for status, why in ((502, "connection refused"), (504, "timed out")):
            session = self.session(settings, reachable=None)
            session.says(CLIENT, get)
            session.refuse(why)
            yield status, get, session
        for request in (get, get.replace(b"GET", b"HEAD")):
            session = self.session(settings)
            session.says(CLIENT, request)
            session.says(SERVER, b"HTTP/1.1 200 OK\r\nX\x00: y\r\n\r\n")
            yield 502, request, session
        session = self.session(settings)
        session.says(CLIENT, get[:-2])
        until_answered(session)
        yield 408, get, session
        session = self.session(settings)
        session.says(CLIENT, get)
        until_answered(session)
        yield 504, get, session

    def lint(self, request: bytes, reply: bytes, now: float = 0) -> list[str]:
        """What is bad about a reply, or may be."""
        method, target, *_ = [*request.split(b"\r\n")[0].split(b" "), b"/"]
        asked = HttpRequestLinter()
        asked.process_request_topline(method, b"http://a" + target, b"HTTP/1.1")
        asked.process_headers([])
        head, _, content = reply.partition(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")
        linter = HttpResponseLinter(start_time=now, related=asked)
        linter.base_uri = "http://a/"
        linter.is_head_response = method == b"HEAD"
        version, status, phrase = line.split(b" ", 2)
        linter.process_response_topline(version.removeprefix(b"HTTP/"), status, phrase)
        linter.process_headers([tuple(each.split(b": ", 1)) for each in lines])  # type: ignore[misc]
        linter.feed_content(content)
        linter.finish_content(True)
        return [
            f"{note.subject}: {note.summary}"
            for note in linter.notes
            if note.level in (levels.BAD, levels.WARN) and MISTAKEN not in note.summary
        ]

    def test_replies(self) -> None:
        """No reply of any kind has a bad note, nor one that warns."""
        for form, accept in FORMS.items():
            for status, request, session in self.replies(accept):
                reply = session.sent[CLIENT]
                name = f"{status}, {form}: {reply!r}"
                self.assertTrue(reply.startswith(b"HTTP/1.1 %d " % status), name)
                self.assertEqual(self.lint(request, reply, session.date()), [], name)

    def test_linter(self) -> None:
        """The linter is awake: it finds what is wrong with a poor answer."""
        poor = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nExpires: never\r\nAge: x\r\n\r\na"
        self.assertGreater(len(self.lint(b"GET / HTTP/1.1", poor)), 1)

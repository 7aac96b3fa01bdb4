"""Stacked services that see what a body is, and may make another one of it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, ISink
from gateway.testing import FakeBody, FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Stack
from tests.protocols.http.test_transactions import GET, OK, records

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-A: b\r\nContent-Length: 2\r\n"
    b"Content-Language: de\r\n\r\nhi"
)
ABOUT = b"Content-Type: text/html\r\nContent-Language: de\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HI = b"2\r\nhi\r\n0\r\n\r\n"


class Answering(FakeBody):
    """Sends back what the test wants, when the body is complete."""

    pieces: tuple[bytes, ...] = ()

    def send(self, data: bytes) -> None:
        """See L{IBody.send}."""
        self.data += data

    def end(self) -> None:
        """See L{IBody.end}."""
        for piece in self.pieces:
            self.sink.received(piece)
        self.sink.ended()


class EntityTests(SynchronousTestCase):
    """C{headers = true}."""

    def begin(self, *pieces: bytes, limits: Limits | None = None) -> FakeSession:
        """A session whose service sends this back; without any, what it gets."""

        class Stacking(FakeSession):
            def stack(self, service: str, sink: ISink, envelope: Any = None) -> Any:
                body = Answering(service, sink) if pieces else FakeBody(service, sink)
                if isinstance(body, Answering):
                    body.pieces = pieces
                self.bodies.append(body)
                return body

        stack = Stack(request="scanner", response="scanner", headers=True)  # type: ignore[call-arg]
        return Stacking(HttpInspector, HttpSettings(stack=stack, limits=limits or Limits())).start()

    def answer(self, *pieces: bytes, limits: Limits | None = None) -> FakeSession:
        """The same, with an answer of a server."""
        session = self.begin(*pieces, limits=limits)
        session.says(CLIENT, GET % 1)
        session.says(SERVER, ANSWER)
        return session

    def test_seen(self) -> None:
        """What is about the body, and nothing else; unchanged, all is in its place."""
        session = self.answer()
        self.assertEqual(session.bodies[0].data, ABOUT + b"hi")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-A: b\r\nContent-Language: de\r\n"
        self.assertEqual(session.sent[CLIENT], head + CHUNKED + HI)

    def test_nothing_to_see(self) -> None:
        """An empty line, then the body."""
        session = self.begin()
        session.says(CLIENT, GET % 1)
        session.says(SERVER, OK)
        self.assertEqual(session.bodies[0].data, b"\r\nhi")
        self.assertEqual(session.sent[CLIENT], b"HTTP/1.1 200 OK\r\n" + CHUNKED + HI)

    def test_upload(self) -> None:
        """Those of requests likewise."""
        session = self.begin()
        head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\n"
        session.says(CLIENT, head + b"Content-Length: 2\r\n\r\nhi")
        self.assertEqual(session.bodies[0].data, b"Content-Type: x/y\r\n\r\nhi")
        self.assertEqual(session.sent[SERVER], head + CHUNKED + HI)

    def test_changed(self) -> None:
        """However the service cuts it, its headers replace those of the message."""
        new = b"Content-Type: text/plain\r\nContent-Note: x\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n" + new
        for pieces in ((new + b"hi",), (new, b"hi"), (new[:-1], new[-1:], b"hi")):
            self.assertEqual(self.answer(*pieces).sent[CLIENT], head + HI)
        each = tuple(new[at : at + 1] for at in range(len(new)))
        self.assertEqual(self.answer(*each, b"hi").sent[CLIENT], head + HI)
        without = b"HTTP/1.1 200 OK\r\nX-A: b\r\n" + CHUNKED
        for pieces in ((b"\r\nhi",), (b"\r", b"\nhi")):
            self.assertEqual(self.answer(*pieces).sent[CLIENT], without + HI)
        self.assertEqual(self.answer(b"\r\n").sent[CLIENT], without + b"0\r\n\r\n")

    def test_refused(self) -> None:
        """A service can't say anything else about the message; nothing of it leaves then."""
        for said, reason in (
            (b"Transfer-Encoding: chunked\r\n\r\nhi", "'Transfer-Encoding' is not about the body"),
            (b"Content-Length: 2\r\n\r\nhi", "'Content-Length' is not about the body"),
            (b"X: y\r\n\r\nhi", "'X' is not about the body"),
            (b"Content-Type: a/b\nX: y\r\n\r\nhi", "a bare LF"),
            (b"Content-Type : a/b\r\n\r\nhi", "white space before the colon"),
            (b"Content-Type: a/b\r\nContent-Type: c/d\r\n\r\nhi", "contradict each other"),
            (b"Content-Type: a/b\r\n", "ended within the headers"),
            (b"hi", "ended within the headers"),
            (b"x" * 300, "more than 256 bytes"),
        ):
            limits = Limits(head_bytes=256)
            for pieces in ((said,), (said[:3], said[3:]), (said, b"more", b"\r\n\r\nmore")):
                session = self.answer(*pieces, limits=limits)
                if "ended" in reason and len(pieces) == 3:
                    continue
                said_to_client = session.sent[CLIENT]
                self.assertTrue(said_to_client.startswith(b"HTTP/1.1 403 "), said_to_client)
                self.assertEqual(said_to_client.count(b"HTTP/1.1"), 1)
                self.assertIn(reason, records(session)[0]["reason"])

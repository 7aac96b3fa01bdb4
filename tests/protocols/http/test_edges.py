"""Just allowed, and just not: limits to the byte, offers of other protocols, places in records."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.patterns import read_paths
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Stack
from tests.protocols.http.corpus import GET

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def sessions(request: bytes, settings: HttpSettings | None = None) -> list[FakeSession]:
    """What comes of a request that comes at once, and of one that comes byte by byte."""
    whole, pieces = (FakeSession(HttpInspector, settings).start() for _ in range(2))
    whole.says(CLIENT, request)
    for at in range(len(request)):
        pieces.says(CLIENT, request[at : at + 1])
    return [whole, pieces]


def limits(**values: int) -> HttpSettings:
    """Settings with these limits."""
    return HttpSettings(limits=Limits(**values))


def record(session: FakeSession) -> dict[str, Any]:
    """The one C{http} record."""
    (fields,) = session.records_of("http")
    return fields


class LimitTests(SynchronousTestCase):
    """Each limit is what it says, however the message comes."""

    def allowed(self, request: bytes, settings: HttpSettings) -> None:
        """It reaches the server."""
        for session in sessions(request, settings):
            self.assertEqual(session.sent[SERVER], request)

    def refused(self, request: bytes, settings: HttpSettings, status: int, offset: int) -> None:
        """It does not; the record says where it became too much."""
        for session in sessions(request, settings):
            self.assertEqual(session.sent[SERVER], b"")
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 %d " % status))
            self.assertEqual(record(session)["offset"], offset)

    def test_request_line(self) -> None:
        """Its CRLF not counted."""
        settings = limits(request_line_bytes=64)
        line = b"GET /" + b"a" * 50 + b" HTTP/1.1"
        self.assertEqual(len(line), 64)
        rest = b"\r\nHost: a\r\n\r\n"
        self.allowed(line + rest, settings)
        self.refused(line.replace(b"/a", b"/aa") + rest, settings, 414, 64)

    def test_header_line(self) -> None:
        """Likewise; the record says which one."""
        settings = limits(header_line_bytes=64)
        self.allowed(GET + b"X: " + b"a" * 61 + b"\r\n\r\n", settings)
        self.refused(GET + b"X: " + b"a" * 62 + b"\r\n\r\n", settings, 431, len(GET))

    def test_headers(self) -> None:
        """Their number; the first one too many is what the record says."""
        settings = limits(headers=3)
        more = GET + b"X: y\r\nX: y\r\n"
        self.allowed(more + b"\r\n", settings)
        self.refused(more + b"X: y\r\n\r\n", settings, 431, len(more))

    def test_head(self) -> None:
        """All header lines together, far too many in any case."""
        settings = limits(head_bytes=256)
        self.allowed(GET + b"X: " + b"a" * 200 + b"\r\n\r\n", settings)
        lines = b"X: " + b"a" * 100 + b"\r\n"
        for session in sessions(GET + lines * 3 + b"\r\n", settings):
            self.assertEqual(session.sent[SERVER], b"")
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 431 "))

    def test_cut_off(self) -> None:
        """A client that ends in the middle of a head has not sent too much."""
        for request in (b"GET /", GET, GET + b"X: y"):
            for session in sessions(request):
                session.hangs_up(CLIENT)
                self.assertEqual(record(session).get("status"), 400, request)
                self.assertNotIn("offset", record(session))


class EndTests(SynchronousTestCase):
    """Where a head ends."""

    def test_bare_lf(self) -> None:
        """A last line that ends with a bare LF is refused at once: nothing more would come."""
        for session in sessions(GET + b"X: y\n\r\n"):
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 400 "))
            self.assertEqual(record(session)["reason"], "a bare LF")
            self.assertEqual(record(session)["offset"], len(GET) + 4)

    def test_server(self) -> None:
        """A server's, too."""
        for session in sessions(GET + b"\r\n"):
            session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n")
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 502 "))
            self.assertEqual(record(session)["reason"], "a bare LF")


class OfferTests(SynchronousTestCase):
    """What a server hears of an Upgrade."""

    def offered(self, request: bytes, *allowed: str) -> bool:
        """Whether it hears of it; the request passes in any case."""
        settings = HttpSettings(upgrades=frozenset(allowed))
        whole, pieces = sessions(request, settings)
        self.assertEqual(whole.sent[SERVER], pieces.sent[SERVER])
        self.assertTrue(whole.sent[SERVER])
        return b"Upgrade: " in whole.sent[SERVER]

    def test_offers(self) -> None:
        """Only an offer of which everything is allowed."""
        head = GET + b"Connection: Upgrade\r\nUpgrade: "
        self.assertTrue(self.offered(head + b"websocket\r\n\r\n", "websocket"))
        self.assertTrue(self.offered(head + b"WebSocket\r\n\r\n", "websocket"))
        self.assertTrue(self.offered(head + b"websocket/13\r\n\r\n", "websocket"))
        self.assertTrue(self.offered(head + b"websocket, x\r\n\r\n", "websocket", "x"))
        self.assertFalse(self.offered(head + b"websocket, x\r\n\r\n", "websocket"))
        self.assertFalse(self.offered(head + b"x\r\n\r\n", "websocket"))

    def test_no_offers(self) -> None:
        """None of HTTP/1.0, none with a body, none that Connection does not name."""
        old = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        self.assertFalse(self.offered(old, "x"))
        head = GET.replace(b"GET", b"POST")
        body = b"Content-Length: 1\r\n\r\nx"
        self.assertFalse(self.offered(head + b"Connection: Upgrade\r\nUpgrade: x\r\n" + body, "x"))
        self.assertFalse(self.offered(GET + b"Upgrade: x\r\n\r\n", "x"))

    def test_answers(self) -> None:
        """A server may switch to what it was offered, and to nothing else."""
        request = GET + b"Connection: Upgrade\r\nUpgrade: x, y\r\n\r\n"
        settings = HttpSettings(upgrades=frozenset({"x", "y", "z"}))
        for names, right in ((b"x", True), (b"y", True), (b"x, y", True), (b"z", False)):
            (session, _) = sessions(request, settings)
            session.says(
                SERVER,
                b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: " + names + b"\r\n\r\n",
            )
            self.assertEqual(session.released, right, names)
        for names in (b"x, z", b"z, x", b""):
            (session, _) = sessions(request, settings)
            session.says(
                SERVER,
                b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: " + names + b"\r\n\r\n",
            )
            self.assertIn("no upgrade was asked for", str(session.verdict), names)

    def test_body_of_trace(self) -> None:
        """Where TRACE is allowed, it is without a body."""
        settings = HttpSettings(methods=frozenset({"TRACE"}))
        request = b"TRACE / HTTP/1.1\r\nHost: a\r\n"
        for session in sessions(request + b"Content-Length: 1\r\n\r\nx", settings):
            self.assertEqual(session.sent[SERVER], b"")
        for session in sessions(request + b"\r\n", settings):
            self.assertEqual(session.sent[SERVER], request + b"\r\n")


class PersistenceTests(SynchronousTestCase):
    """What is said about whether a connection goes on."""

    def test_close_counts(self) -> None:
        """An old client that says both closes; what it sends more is not asked."""
        request = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n"
        (session, _) = sessions(request)
        session.says(SERVER, OK)
        session.says(CLIENT, request)
        self.assertEqual(session.sent[SERVER].count(b"GET"), 1)

    def test_keep_alive(self) -> None:
        """A connection that the gateway ends is not said to be kept alive by the server."""
        (session, _) = sessions(
            b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
        )
        kept = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
        session.says(SERVER, kept + b"Content-Length: 0\r\n\r\n")
        self.assertEqual(
            session.sent[CLIENT],
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        )

    def test_old_client_refused(self) -> None:
        """An old client can't tell that a refusal would leave its connection open: it does not."""
        request = b"TRACE / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
        for session in sessions(request):
            self.assertIn(b"\r\nConnection: close\r\n", session.sent[CLIENT])
            self.assertIsNotNone(session.verdict)

    def test_old_client_expects_nothing(self) -> None:
        """Expect means nothing in HTTP/1.0: an early answer does not end the connection."""
        request = (
            b"PUT / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 1\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        session, _ = sessions(request)
        self.assertNotIn(b"Expect", session.sent[SERVER])
        kept = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
        session.says(SERVER, kept)
        self.assertEqual(session.sent[CLIENT], kept)
        session.says(CLIENT, b"x" + request)
        self.assertEqual(session.sent[SERVER].count(b"PUT"), 2)

    def test_more_than_the_last(self) -> None:
        """More behind a last request is no offence; it is just not heard."""
        session, _ = sessions(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")
        session.says(SERVER, OK)
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.CLOSED)
        self.assertIn("after its last request", session.verdict.reason)

    def test_gone_after_an_early_answer(self) -> None:
        """A client that has its answer may go without sending the rest: that is no offence."""
        session, _ = sessions(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        session.says(SERVER, b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        session.hangs_up(CLIENT)
        assert session.verdict is not None
        self.assertIsNot(session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(record(session)["verdict"], "failed")

    def test_server_ends(self) -> None:
        """In the middle of an answer: that has failed, and nobody was denied anything."""
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", b"HTTP/1.1 200 OK\r\nX"):
            session, _ = sessions(GET + b"\r\n")
            session.says(SERVER, answer)
            session.hangs_up(SERVER)
            self.assertEqual(record(session)["verdict"], "failed")


class HopTests(SynchronousTestCase):
    """What is for the next hop alone stays with the gateway, in interim responses too."""

    def test_interim(self) -> None:
        """A hint of a server's, without what was for us."""
        session, _ = sessions(GET + b"\r\n")
        session.says(
            SERVER, b"HTTP/1.1 103 Early\r\nConnection: x\r\nX: y\r\nLink: </a>\r\n\r\n" + OK
        )
        self.assertEqual(session.sent[CLIENT], b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + OK)

    def test_switched(self) -> None:
        """An upgrade, likewise."""
        settings = HttpSettings(upgrades=frozenset({"x"}))
        session, _ = sessions(GET + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n", settings)
        session.says(
            SERVER, b"HTTP/1.1 101 Go\r\nConnection: upgrade, y\r\nUpgrade: x\r\nY: z\r\n\r\n"
        )
        self.assertEqual(
            session.sent[CLIENT],
            b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        )

    def test_absolute_without_a_path(self) -> None:
        """C{http://a} asks for C{/}."""
        settings = HttpSettings(paths=read_paths(["/"]))
        for target in (b"http://a", b"http://a?b"):
            session, _ = sessions(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", settings)
            self.assertIn(target, session.sent[SERVER])


class StackTests(SynchronousTestCase):
    """Bodies through another inspector: only where there is one, and to a clear end."""

    SETTINGS = HttpSettings(stack=Stack(request="other", response="other"))

    def test_no_body(self) -> None:
        """Nobody is asked about nothing; the head passes as it is."""
        for answer in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\n\r\n",
        ):
            session, _ = sessions(GET + b"\r\n", self.SETTINGS)
            session.says(SERVER, answer)
            self.assertEqual(session.sent, {CLIENT: answer, SERVER: GET + b"\r\n"})
            self.assertEqual(session.bodies, [])

    def test_broken(self) -> None:
        """The other inspector hears that there will be no rest."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        session, _ = sessions(GET + b"\r\n", self.SETTINGS)
        session.says(SERVER, head + b"5\r\nhello\r\nx\r\n")
        (body,) = session.bodies
        self.assertEqual((body.data, body.cancelled), (b"hello", True))
        session, _ = sessions(GET + b"\r\n", self.SETTINGS)
        session.says(SERVER, head + b"5\r\nhello\r\n0\r\n\r\n")
        (body,) = session.bodies
        self.assertEqual((body.data, body.cancelled), (b"hello", False))


class StreamTests(SynchronousTestCase):
    """Who waits for the next event gets it when it is there, wherever segments are cut."""

    def test_chunks(self) -> None:
        """A chunk passes, whatever has come of what follows it."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"5\r\nevent\r\n"
        for rest in (
            b"",
            b"\r",
            b"\r\n",
            b"\r\n5",
            b"\r\n5;a=",
            b"\r\n0\r\n",
            b"\r\n0\r\nX: y\r\n\r",
        ):
            for say in ([head + chunk[:-2] + rest], [head, chunk[:-2] + rest]):
                session, _ = sessions(GET + b"\r\n")
                for said in say:
                    session.says(SERVER, said)
                self.assertEqual(session.sent[CLIENT], head + chunk, rest)

    def test_length(self) -> None:
        """So does whatever has come of a body of known length, or that ends with the connection."""
        for line in (b"Content-Length: 9\r\n", b""):
            head = b"HTTP/1.1 200 OK\r\n" + line + b"\r\n"
            session, _ = sessions(GET + b"\r\n")
            session.says(SERVER, head + b"ev")
            session.says(SERVER, b"ent")
            self.assertEqual(session.sent[CLIENT], head + b"event")

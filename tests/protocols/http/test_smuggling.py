"""Smuggling: what one program takes for one message, and another for two."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from tests.protocols.http.corpus import CHUNKED, GET, POST, SMUGGLED, Refused
from tests.protocols.http.corpus.chunks import CHUNKS, TRAILERS
from tests.protocols.http.corpus.framing import CODINGS, EXPECTATIONS, LENGTHS, VERSIONS
from tests.protocols.http.corpus.hosts import HOSTS
from tests.protocols.http.corpus.lines import (
    ASTERISKS,
    AUTHORITIES,
    CONNECTS,
    FIELDS,
    LINES,
    OPTIONS,
    TARGETS,
)
from tests.protocols.http.corpus.responses import CUT, EVIL, EXTRA, RESPONSES

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def ask(request: bytes, settings: HttpSettings | None = None) -> FakeSession:
    """What comes of a request."""
    session = FakeSession(HttpInspector, settings).start()
    session.says(CLIENT, request)
    return session


LONE = ("bare LF", "bare CR")


def said_by(row: Refused) -> bytes:
    """A message up to a lone LF, or up to what shows that a CR is one."""
    assert row.offset is not None
    return row.data[: row.offset + LONE.index(row.reason) + 1]


class RequestTests(SynchronousTestCase):
    """What the operator may rely on: nothing ambiguous reaches a server."""

    def refused(self, rows: Iterable[Refused], settings: HttpSettings | None = None) -> None:
        """The client gets a clean answer; the record has the reason and where it is."""
        for row in rows:
            session = ask(row.data, settings)
            verdict = session.verdict
            assert verdict is not None, f"{row.name}: passed as {session.sent[SERVER]!r}"
            self.assertIs(verdict.outcome, Outcome.DENIED, row.name)
            self.assertIn(row.reason, verdict.reason, row.name)
            self.harmless(row, session.sent[SERVER])
            said = session.sent[CLIENT]
            self.assertTrue(said.startswith(b"HTTP/1.1 %d " % row.status), f"{row.name}: {said!r}")
            self.assertIn(b"\r\nConnection: close\r\n\r\n", said, row.name)
            (record,) = session.records_of("http")
            self.assertEqual(
                (record["verdict"], record["status"]), ("denied", row.status), row.name
            )
            self.assertEqual(record["reason"], verdict.reason, row.name)
            self.assertEqual(record.get("offset"), row.offset, (row.name, row.data))

    def harmless(self, row: Refused, sent: bytes) -> None:
        """Nothing has reached the server, or a good head with the good part of a body."""
        if row.data.startswith(CHUNKED):
            good = row.data[: row.offset].replace(b";a\r\n", b"\r\n")
            self.assertTrue(good.startswith(sent), f"{row.name}: {sent!r}")
        else:
            self.assertEqual(sent, b"", row.name)

    def test_lengths(self) -> None:
        """CL.TE, TE.CL, TE.0, CL.0, 0.CL: one length, or none."""
        self.refused((*LENGTHS, *VERSIONS))

    def test_codings(self) -> None:
        """TE.TE: chunked, or nothing."""
        self.refused(CODINGS)

    def test_expectations(self) -> None:
        """Expect: to be asked to go on, or nothing."""
        self.refused(EXPECTATIONS)

    def test_chunks(self) -> None:
        """Chunks, extensions and trailers: nothing but what the standard says."""
        self.refused((*CHUNKS, *TRAILERS))

    def test_lines(self) -> None:
        """Lines end in CRLF; request lines have two spaces; names are tokens."""
        self.refused((*LINES, *FIELDS))

    def test_options(self) -> None:
        """Connection takes nothing away from the one behind the gateway."""
        self.refused(OPTIONS)

    def test_targets(self) -> None:
        """Targets have one of four forms."""
        self.refused((*TARGETS, *ASTERISKS, *AUTHORITIES))
        self.refused(CONNECTS, HttpSettings(connect=True))

    def test_hosts(self) -> None:
        """It is clear whom a request is for."""
        self.refused(HOSTS)

    def test_in_pieces(self) -> None:
        """However it comes, byte by byte or at once, the same is refused for the same reason."""
        for row in (*LENGTHS, *CODINGS, *CHUNKS, *TRAILERS, *LINES, *FIELDS, *HOSTS, *TARGETS):
            whole, pieces = ask(row.data), FakeSession(HttpInspector).start()
            for at in range(len(row.data)):
                pieces.says(CLIENT, row.data[at : at + 1])
            self.assertEqual(pieces.verdict, whole.verdict, row.name)
            self.assertEqual(pieces.sent[CLIENT], whole.sent[CLIENT], row.name)

    def test_at_once(self) -> None:
        """
        Whoever ends a line with a lone LF or CR hears so when it has come: nobody waits for a right
        end of the line, and nobody is blamed for being slow.
        """
        for row in (*LINES, *FIELDS, *TRAILERS, *CHUNKS):
            if row.reason in LONE:
                session = ask(said_by(row))
                self.assertIn(row.reason, str(session.verdict), row.name)
                self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 400 "), row.name)
        for body in (b"3\n", b"3;a\n", b"3\rx", b"3\r\nabc\n", b"3\r\nabc\rx", b"0\r\n\n"):
            self.assertIsNotNone(ask(CHUNKED + body).verdict, body)

    def test_behind(self) -> None:
        """The same behind a good request: offsets are those of the message itself."""
        for row in (LENGTHS[0], CODINGS[0], CHUNKS[0], TRAILERS[0], LINES[0], FIELDS[0], HOSTS[5]):
            session = ask(GET + b"\r\n" + row.data)
            session.says(SERVER, OK)
            self.assertIn(row.reason, str(session.verdict), row.name)
            record = session.records_of("http")[-1]
            self.assertEqual((record["status"], record["offset"]), (row.status, row.offset))


class ResponseTests(SynchronousTestCase):
    """What a server says is read as strictly: nothing ambiguous reaches a client."""

    def test_refused(self) -> None:
        """The client gets a 502 of ours, and nothing of the server's."""
        for row in RESPONSES:
            session = ask(row.request)
            session.says(SERVER, row.data + EVIL)
            verdict = session.verdict
            assert verdict is not None, row.name
            self.assertIs(verdict.outcome, Outcome.DENIED, row.name)
            self.assertIn(row.reason, verdict.reason, row.name)
            said = session.sent[CLIENT]
            while said.startswith(CONTINUE):
                said = said.removeprefix(CONTINUE)
            self.assertTrue(said.startswith(b"HTTP/1.1 502 "), f"{row.name}: {said!r}")
            self.assertNotIn(b"EVIL", said, row.name)
            record = session.records_of("http")[-1]
            self.assertEqual(record.get("offset"), row.offset, (row.name, row.data))

    def test_at_once(self) -> None:
        """A lone LF or CR is refused when it comes, in every line; the client does not wait."""
        for row in (*RESPONSES, *CUT):
            if row.reason in LONE:
                session = ask(row.request)
                session.says(SERVER, said_by(row))
                self.assertIn(row.reason, str(session.verdict), row.name)

    def test_bad_at_once(self) -> None:
        """If nothing of it has left, the client hears that instead of a reset."""
        for row in CUT:
            for request in (row.request, row.request.replace(b"1.1", b"1.0")):
                session = ask(request)
                session.says(SERVER, row.data + EVIL)
                said = session.sent[CLIENT]
                self.assertTrue(said.startswith(b"HTTP/1.1 502 "), f"{row.name}: {said!r}")
                self.assertEqual(said.count(b"HTTP/1.1"), 1, row.name)

    def test_cut_off(self) -> None:
        """A response that turns out to be bad after its head: the client can tell."""
        for row in CUT:
            session = ask(row.request)
            head, _, body = row.data.partition(b"\r\n\r\n")
            session.says(SERVER, head + b"\r\n\r\n")
            session.says(SERVER, body + EVIL)
            verdict = session.verdict
            assert verdict is not None, row.name
            self.assertIs(verdict.outcome, Outcome.DENIED, row.name)
            self.assertIn(row.reason, verdict.reason, row.name)
            self.assertFalse(session.sent[CLIENT].endswith(b"0\r\n\r\n"), row.name)
            self.assertNotIn(b"EVIL", session.sent[CLIENT], row.name)
            self.assertNotIn(b"502", session.sent[CLIENT], row.name)
            self.assertEqual(session.records_of("http")[-1].get("offset"), row.offset, row.name)

    def test_extra(self) -> None:
        """What answers nothing does not reach the client: a second answer, a body of HEAD."""
        for row in EXTRA:
            session = ask(row.request)
            session.says(SERVER, row.data + EVIL)
            self.assertEqual(session.sent[CLIENT], row.data, row.name)
            self.assertIn(row.reason, str(session.verdict), row.name)

    def test_before_the_request(self) -> None:
        """A server that answers before it was asked (the queue of answers is poisoned)."""
        session = ask(POST + b"Content-Length: 3\r\n\r\nabc")
        session.says(SERVER, OK)
        session.says(SERVER, EVIL)
        session.says(CLIENT, SMUGGLED)
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertNotIn(b"admin", session.sent[SERVER])


class FlowTests(SynchronousTestCase):
    """Attacks that take several steps."""

    def test_several_connections(self) -> None:
        """A header that only the second Connection names is about this connection as well."""
        private = b"X-Private: 1\r\n"
        named = b"Connection: keep-alive\r\nConnection: X-Private\r\n"
        session = ask(GET + named + private + b"\r\n")
        self.assertEqual(session.sent[SERVER], GET + b"Connection: keep-alive\r\n\r\n")

    def test_offset_of_repeated_headers(self) -> None:
        """Headers that are the same as before are in the place where they are now."""
        fields = b" HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
        session = ask(b"POST /long/path" + fields + b"abc")
        session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        request = b"GET /" + fields
        session.says(CLIENT, request)
        self.assertIn("GET with a body", str(session.verdict))
        self.assertEqual(session.records_of("http")[-1]["offset"], request.index(b"Content-Length"))

    def test_second_request_hides_nothing(self) -> None:
        """What follows a body is a request of its own, decided like any other."""
        session = ask(POST + b"Content-Length: 3\r\n\r\nabc" + SMUGGLED)
        self.assertNotIn(b"admin", session.sent[SERVER])
        session.says(SERVER, OK)
        self.assertTrue(session.sent[SERVER].endswith(SMUGGLED))
        self.assertEqual([fields["url"] for _, fields in session.recorded], ["/"])

    def test_two_answers(self) -> None:
        """CL.0: who made a server answer a body gets one answer."""
        session = ask(POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)
        session.says(SERVER, OK + EVIL)
        self.assertEqual(session.sent[CLIENT], OK)
        self.assertIn("answers no request", str(session.verdict))

    def test_early_answer(self) -> None:
        """0.CL by Expect: a server that answers does not read the body for a request then."""
        session = ask(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED))
        session.says(SERVER, OK)
        self.assertIn(b"Connection: close\r\n", session.sent[CLIENT])
        session.says(CLIENT, SMUGGLED)
        self.assertNotIn(b"admin", session.sent[SERVER])

    def test_early_answer_and_continue(self) -> None:
        """The same, where the server says 100 after its answer."""
        session = ask(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED))
        session.says(SERVER, OK + CONTINUE)
        session.says(CLIENT, SMUGGLED)
        self.assertNotIn(b"admin", session.sent[SERVER])
        self.assertNotIn(b"100 Continue", session.sent[CLIENT])

    def test_early_answer_to_a_body(self) -> None:
        """Double desync: a second answer, while the body of the first request still comes."""
        session = ask(POST + b"Content-Length: 1000\r\n\r\n" + SMUGGLED)
        session.says(SERVER, OK + EVIL)
        self.assertEqual(session.sent[CLIENT].count(b"HTTP/1.1"), 1)
        self.assertNotIn(b"EVIL", session.sent[CLIENT])

    def test_continue_twice(self) -> None:
        """Several 100s are passed on as such; none of them is taken for the answer."""
        session = ask(POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        session.says(SERVER, CONTINUE * 2)
        session.says(CLIENT, b"x")
        session.says(SERVER, OK)
        self.assertEqual(session.sent[CLIENT], CONTINUE * 2 + OK)
        self.assertIsNone(session.verdict)

    def test_behind_an_upgrade(self) -> None:
        """Nothing behind an offer is sent before the server has said what it is."""
        upgrade = GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        allowed = HttpSettings(upgrades=frozenset({"websocket"}))
        session = ask(upgrade + SMUGGLED, allowed)
        self.assertNotIn(b"admin", session.sent[SERVER])
        session.says(SERVER, OK)
        self.assertTrue(session.sent[SERVER].endswith(SMUGGLED))
        self.assertFalse(session.released)
        self.assertEqual([fields["status"] for _, fields in session.recorded], [200])

    def test_behind_a_tunnel(self) -> None:
        """Nor behind CONNECT; and after a refusal it is a request like any other."""
        session = ask(
            b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, HttpSettings(connect=True)
        )
        self.assertNotIn(b"admin", session.sent[SERVER])
        refusal = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"
        session.says(SERVER, refusal)
        self.assertFalse(session.released)
        self.assertEqual(session.sent[CLIENT], refusal)
        self.assertTrue(session.sent[SERVER].endswith(SMUGGLED))

    def test_behind_the_last_request(self) -> None:
        """Nor behind a request that is the last by what it says."""
        for last in (GET + b"Connection: close\r\n\r\n", b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"):
            session = ask(last + SMUGGLED)
            session.says(SERVER, OK)
            self.assertNotIn(b"admin", session.sent[SERVER])

    def test_incomplete(self) -> None:
        """A request that never ends: nothing but its good beginning was sent, if anything."""
        for data in (GET, GET + b"X: y", GET + b"X: y\r\n", b"GET / HT", b"GET /", b"\r"):
            session = ask(data)
            session.hangs_up(CLIENT)
            self.assertEqual(session.sent[SERVER], b"", data)
        for data in (
            POST + b"Content-Length: 5\r\n\r\nab",
            CHUNKED + b"5\r\nab",
            CHUNKED + b"2\r\nab\r\n",
        ):
            session = ask(data)
            session.hangs_up(CLIENT)
            self.assertNotEqual(session.halves, {SERVER}, "the server can't tell")
            assert session.verdict is not None
            self.assertIsNot(session.verdict.outcome, Outcome.PASSED)

    def test_long(self) -> None:
        """Quadratic patterns would show here: half a megabyte of what never ends."""
        for filling in (b"a", b" ", b":", b"a:", b"a, ", b"\t", b'"', b";a", b"\\"):
            lines = filling * (60000 // len(filling))
            ask(GET + lines + b"\r\n\r\n")
            ask(GET + b"X: " + lines[:8000] + b"\r\n\r\n")
            ask(b"GET /" + lines[:8000] + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            ask(b"GET / HTTP/1.1\r\nHost: " + lines[:8000] + b"\r\n\r\n")
            ask(GET + b"Connection: " + lines[:8000] + b"\r\n\r\n")

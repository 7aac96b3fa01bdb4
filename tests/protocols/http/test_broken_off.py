"""Servers that break off, or answer early: the client hears what can be heard, once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Stack
from protocols.http.times import Times
from tests.protocols.http.test_transactions import GET, OK, PUT, Scripted, ask, records, scripted

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class ResetTests(SynchronousTestCase):
    """A server that resets its connection."""

    def answered_for(self, session: FakeSession, before: bytes = b"") -> None:
        """The client reads that the server is gone, and so does the operator."""
        said = session.sent[CLIENT]
        self.assertTrue(said.startswith(before + b"HTTP/1.1 502 Bad Gateway\r\n"), said)
        self.assertIn(b"\r\nConnection: close\r\n", said)
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.FAILED)
        record = records(session)[-1]
        self.assertEqual(record["reason"], "reset by the server, before it had answered")
        self.assertEqual((record["verdict"], record["status"]), ("failed", 502))

    def passed_on(self, session: FakeSession, heard: bytes) -> None:
        """The client gets the reset."""
        self.assertEqual(session.sent[CLIENT], heard)
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.RESET)

    def part_of(self, session: FakeSession, heard: bytes, reason: str) -> None:
        """The client gets the part that came, and an ordinary end."""
        self.assertEqual(session.sent[CLIENT], heard)
        self.assertEqual(session.verdict, (Outcome.FAILED, reason))
        (record,) = records(session)
        self.assertEqual((record["verdict"], record["reason"]), ("failed", reason))

    def test_first_answer(self) -> None:
        """Nothing of it, or a part of its head, or only an interim one: 502."""
        for said, heard in (
            (b"", b""),
            (b"HTTP/1.1 2", b""),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", b""),
            (CONTINUE, CONTINUE),
        ):
            session = ask(PUT + b"Expect: 100-continue\r\n\r\n")
            if said:
                session.says(SERVER, said)
            session.resets(SERVER)
            self.answered_for(session, heard)

    def test_in_an_upload(self) -> None:
        """Also if the client is not done with asking."""
        session = ask(PUT + b"\r\na")
        session.resets(SERVER)
        self.answered_for(session)

    def test_later_answer(self) -> None:
        """On a connection that was used, the client asks again, unless something had come."""
        for said in (b"", b"HTTP/1.1 2"):
            session = ask(GET % 1)
            session.says(SERVER, OK)
            session.says(CLIENT, GET % 2)
            if said:
                session.says(SERVER, said)
            session.resets(SERVER)
            if said:
                self.answered_for(session, OK)
            else:
                self.passed_on(session, OK)
                self.assertEqual(records(session)[-1]["reason"], "reset by the server")

    def test_in_the_body(self) -> None:
        """The client gets what came, and an end: by the length, or the chunks, it is not all."""
        for head in (LONG, CHUNKED):
            for body in (b"", b"5\r\nabc"):
                session = ask(GET % 1)
                session.says(SERVER, head + body)
                session.resets(SERVER)
                self.part_of(session, head + body, "reset by the server")

    def test_in_a_body_without_end(self) -> None:
        """Where the end of the connection is the end of the body, a reset is the only way."""
        session = ask(GET % 1)
        session.says(SERVER, b"HTTP/1.1 200 OK\r\n\r\nabc")
        session.resets(SERVER)
        self.passed_on(session, b"HTTP/1.1 200 OK\r\n\r\nabc")

    def test_in_a_body_without_end_to_a_slow_client(self) -> None:
        """It takes all that came, before it is reset; and has only so much time for that."""
        for takes in (True, False):
            session = ask(GET % 1, slow={CLIENT})
            session.says(SERVER, b"HTTP/1.1 200 OK\r\n\r\nabc")
            session.resets(SERVER)
            self.assertIsNone(session.verdict)
            if takes:
                session.flush(CLIENT)
                self.passed_on(session, b"HTTP/1.1 200 OK\r\n\r\nabc")
            else:
                session.advance(Times().take_seconds + Times().shortest)
                self.assertIn("too slowly", str(session.verdict))

    def test_in_a_body_that_is_held(self) -> None:
        """The policy looks at it, or another service does: the client has nothing yet."""
        session = scripted(Scripted(look=5))
        session.says(CLIENT, GET % 1)
        session.says(SERVER, LONG + b"abc")
        session.resets(SERVER)
        self.answered_for(session)

    def test_stacked(self) -> None:
        """What another service has let through is an answer that has begun."""
        session = ask(GET % 1, HttpSettings(stack=Stack(response="scanner")))
        session.says(SERVER, LONG + b"abc")
        session.resets(SERVER)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.part_of(session, head + b"3\r\nabc\r\n", "reset by the server")

    def test_nothing_asked(self) -> None:
        """A server that resets an idle connection resets the client's, if that is not to go on."""
        session = ask(GET % 1, HttpSettings(keep_client=False))
        session.says(SERVER, OK)
        session.resets(SERVER)
        self.passed_on(session, OK)

    def test_after_the_last_answer(self) -> None:
        """A complete answer, last or early, is not taken from the client again."""
        refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n"
        for end in (b"Connection: close\r\n\r\n", b"\r\n"):
            session = ask(PUT + b"\r\na")
            session.says(SERVER, refusal + end)
            session.resets(SERVER)
            self.assertEqual(session.sent[CLIENT], refusal + end)
            assert session.verdict is not None
            self.assertEqual(session.verdict, (Outcome.FAILED, "reset by the server"))
            (record,) = records(session)
            self.assertEqual((record["verdict"], record["status"]), ("failed", 413))

    def test_client(self) -> None:
        """A client that resets hears nothing."""
        session = ask(GET % 1)
        session.resets(CLIENT)
        self.passed_on(session, b"")

    def test_tunnel(self) -> None:
        """After an upgrade, a reset is just that."""
        settings = HttpSettings(upgrades=frozenset({"x"}))
        upgrade = b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n"
        session = ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade, settings)
        switching = b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade
        session.says(SERVER, switching)
        session.resets(SERVER)
        self.passed_on(session, switching)


class EndTests(SynchronousTestCase):
    """A server that ends its connection within an answer."""

    REASON = "the server ended in the middle of a message"

    def ended(
        self, said: bytes, settings: HttpSettings | None = None, request: bytes = GET % 1
    ) -> FakeSession:
        """A session whose server says that, and ends."""
        session = ask(request, settings, slow={CLIENT})
        session.says(SERVER, said)
        session.hangs_up(SERVER)
        session.flush(CLIENT)
        (record,) = records(session)
        self.assertEqual((record["verdict"], record["reason"]), ("failed", self.REASON))
        return session

    def test_delivered(self) -> None:
        """What came arrives, and then an ordinary end: it is not all that was announced."""
        for said in (
            LONG,
            LONG + b"abc",
            CHUNKED + b"5\r\nab",
            CHUNKED + b"5\r\nhello\r\n",
            CHUNKED + b"5\r\nhello\r\n5",
            CHUNKED + b"5\r\nhello\r\n0\r\n",
            CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n",
        ):
            session = self.ended(said)
            came = said[: said.find(b"hello\r\n") + 7] if b"hello" in said else said
            self.assertEqual(session.sent[CLIENT], came)
            self.assertEqual(session.verdict, (Outcome.FAILED, self.REASON))

    def test_nothing_yet(self) -> None:
        """If nothing of it has left, the client hears that there is no answer."""
        for said in (b"HTTP/1.1 200 OK\r\n", CHUNKED[:-2], b"HTTP/1.1 205 No\r\n" + CHUNKED[17:]):
            session = self.ended(said)
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 502 "), said)
        looking = scripted(Scripted(look=5))
        looking.says(CLIENT, GET % 1)
        looking.says(SERVER, LONG + b"abc")
        looking.hangs_up(SERVER)
        self.assertTrue(looking.sent[CLIENT].startswith(b"HTTP/1.1 502 "))

    def test_stacked(self) -> None:
        """The same for what another service has let through."""
        session = self.ended(LONG + b"abc", HttpSettings(stack=Stack(response="scanner")))
        self.assertEqual(session.sent[CLIENT], CHUNKED + b"3\r\nabc\r\n")
        self.assertEqual(session.verdict, (Outcome.FAILED, self.REASON))

    def test_stacked_without_end(self) -> None:
        """To a client of HTTP/1.0 it has no other end than a reset, when all has left."""
        stack = HttpSettings(stack=Stack(response="scanner"))
        session = ask(b"GET / HTTP/1.0\r\n\r\n", stack, slow={CLIENT})
        session.says(SERVER, LONG + b"abc")
        session.hangs_up(SERVER)
        self.assertTrue(session.sent[CLIENT].endswith(b"\r\n\r\nabc"))
        self.assertIsNone(session.verdict)
        session.flush(CLIENT)
        self.assertEqual(session.verdict, (Outcome.DENIED, self.REASON))

    def test_end_that_was_not_said(self) -> None:
        """
        In TLS, what ends with the connection is whole only if the server said so: whoever can
        forge a packet can end a connection.
        """
        said = b"HTTP/1.1 200 OK\r\n\r\nabc"
        for truncated in (set(), {SERVER}):
            session = ask(GET % 1, slow={CLIENT}, truncated=truncated)
            session.says(SERVER, said)
            session.hangs_up(SERVER)
            session.flush(CLIENT)
            (record,) = records(session)
            self.assertEqual(session.sent[CLIENT], said)
            self.assertEqual(record["verdict"], "failed" if truncated else "passed")
        self.assertEqual(
            record["reason"], "the server ended without close_notify, within a message"
        )
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.DENIED)  # a reset
        whole = ask(GET % 1, truncated={SERVER})
        whole.says(SERVER, LONG + b"a" * 9)
        whole.hangs_up(SERVER)
        self.assertEqual(records(whole)[0]["verdict"], "passed")

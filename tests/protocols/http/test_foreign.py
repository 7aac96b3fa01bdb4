"""Peers that don't speak HTTP are told apart at once, by the first bytes that can't be HTTP's."""

from __future__ import annotations

import ssl

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.grammar import (
    BEGUN_REQUEST_LINE,
    BEGUN_STATUS_LINE,
    REQUEST_LINE,
    STATUS_LINE,
)
from protocols.http.http1.foreign import ALERT
from protocols.http.policy.settings import HttpSettings
from tests.protocols.http.test_transactions import GET, OK, ask, limits, records

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)) + b"\r\n\r\n"


class ClientTests(SynchronousTestCase):
    """Nobody has to wait for a line end that would never come."""

    def refused(self, said: bytes, settings: HttpSettings | None = None) -> FakeSession:
        """It is, however it comes; not a byte later than its last one."""
        whole = ask(said, settings)
        pieces = ask(said[:1], settings)
        for at in range(1, len(said)):
            pieces.says(CLIENT, said[at : at + 1])
        for session in (whole, pieces):
            assert session.verdict is not None
            self.assertIs(session.verdict.outcome, Outcome.DENIED)
            self.assertEqual(session.connected, [])
        self.assertEqual(whole.verdict, pieces.verdict)
        self.assertEqual(whole.sent, pieces.sent)
        self.assertEqual(records(whole), records(pieces))
        return whole

    def waits(self, said: bytes) -> None:
        """It may still become a request."""
        self.assertIsNone(ask(said).verdict)

    def test_tls(self) -> None:
        """A client that wants TLS gets an alert, which it can tell its user of, and no page."""
        for said in (HELLO[:1], HELLO[:11], HELLO):
            session = self.refused(said)
            self.assertEqual(session.sent[CLIENT], ALERT)
            (record,) = records(session)
            self.assertEqual((record["reason"], record["offset"]), ("not HTTP, but TLS", 0))
            self.assertNotIn("status", record)

    def test_tls_for_real(self) -> None:
        """OpenSSL's client says what became of it."""
        context = ssl.create_default_context()
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(heard, said, server_hostname="a")
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        heard.write(ask(said.read()).sent[CLIENT])
        with self.assertRaises(ssl.SSLError) as raised:
            client.do_handshake()
        self.assertIn("ALERT_ACCESS_DENIED", str(raised.exception))

    def test_binary(self) -> None:
        """Others hear nothing."""
        for said in (b"\x00", b"\x13BitTorrent protocol", b"\x03\x00\x00\x13", b"\x00\x0a\x00"):
            session = self.refused(said)
            self.assertEqual(session.sent[CLIENT], b"")
            (record,) = records(session)
            self.assertEqual(record["reason"], f"not HTTP: it begins with {chr(said[0])!r}")

    def test_text(self) -> None:
        """Whoever may be a person, or means HTTP, reads a page at once."""
        for said, offset in (
            (b"\r", 0),
            (b" ", 0),
            (b"\xef", 0),
            (b"<", 0),
            (b"GET\x00", 3),
            (b"GET\r", 3),
            (b"GET  ", 4),
            (b"GET /\x00", 5),
            (b"GET / I", 6),
            (b"GET / HTTP/x", 11),
            (b"GET / HTTP/1.12", 14),
            (b"GET / HTTP/1.1\rH", 14),
            (b"\x7f", 0),
        ):
            session = self.refused(said)
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 400 "), said)
            (record,) = records(session)
            self.assertEqual(record["offset"], offset, said)
            self.assertIn("not a request line: ", record["reason"])

    def test_method(self) -> None:
        """A word without an end is no method; the limit is kept to the byte."""
        session = self.refused(b"a" * 33)
        self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 501 "))
        (record,) = records(session)
        self.assertIn("a method of more than 32 bytes", record["reason"])
        self.assertEqual(record["offset"], 32)
        self.waits(b"a" * 32)
        request = b"ABCDE / HTTP/1.1\r\nHost: a\r\n\r\n"
        self.assertIn(b"HTTP/1.1 403 ", self.refused_later(request, limits(method_bytes=5)))
        self.assertIn(b"HTTP/1.1 501 ", self.refused_later(request, limits(method_bytes=4)))

    def refused_later(self, request: bytes, settings: HttpSettings) -> bytes:
        """What is answered."""
        return ask(request, settings).sent[CLIENT]

    def test_may_become_one(self) -> None:
        """Nobody is refused who may go on well."""
        line = b"GET /" + b"x" * 100 + b" HTTP/1.1\r\n"
        for at in range(1, len(line) + 1):
            self.waits(line[:at])

    def test_after_requests(self) -> None:
        """Who has spoken HTTP before reads a page about what is wrong now."""
        session = ask(GET % 1)
        session.says(SERVER, OK)
        session.says(CLIENT, HELLO)
        self.assertTrue(session.sent[CLIENT].startswith(OK + b"HTTP/1.1 400 "))


class ServerTests(SynchronousTestCase):
    """A server that answers something else: the client reads so at once."""

    def test_refused(self) -> None:
        """By the first byte that can't be HTTP's."""
        for said, reason in (
            (b"<", "not a status line: '<'"),
            (b"HTTP/1.1 O", "not a status line: 'HTTP/1.1 O'"),
            (b"\x15", "not HTTP: it begins with '\\x15'"),
            (b"2", "not a status line: '2'"),
        ):
            session = ask(GET % 1)
            for at in range(len(said)):
                self.assertIsNone(session.verdict)
                session.says(SERVER, said[at : at + 1])
            self.assertTrue(session.sent[CLIENT].startswith(b"HTTP/1.1 502 "))
            (record,) = records(session)
            self.assertEqual((record["reason"], record["verdict"]), (reason, "denied"))


class GrammarTests(SynchronousTestCase):
    """The patterns of beginnings and of whole lines agree."""

    def test_beginnings(self) -> None:
        """Each beginning of a line is one; a line that is none has a beginning that is none."""
        for line, whole, begun in (
            ("GET /x?y HTTP/1.1", REQUEST_LINE, BEGUN_REQUEST_LINE),
            ("HTTP/1.1 200 It's fine", STATUS_LINE, BEGUN_STATUS_LINE),
            ("HTTP/1.0 404", STATUS_LINE, BEGUN_STATUS_LINE),
        ):
            self.assertTrue(whole.fullmatch(line))
            for at in range(len(line) + 1):
                self.assertTrue(begun.fullmatch(line[:at]), line[:at])
                for wrong in "\x00\n":
                    self.assertFalse(begun.fullmatch(line[:at] + wrong), line[:at])
            self.assertTrue(begun.fullmatch(line + "\r"))
            self.assertFalse(begun.fullmatch(line + "\r\r"))

"""Whois queries are decided by the operator's pattern; answers can't drive a terminal."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome, Verdict
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.whois import WhoisInspector, WhoisSettings

PASSED = Verdict(Outcome.PASSED)
LATIN = WhoisSettings(charset="latin-1", answer_bytes=20)


class WhoisSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = WhoisInspector
    conversations = (
        Conversation(
            "a domain",
            [
                (CLIENT, b"example.com\r\n"),
                (SERVER, "% Zo\u00eb\u2066\n".encode()),
                (SERVER, b"domain: example.com\r\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
        ),
        Conversation(
            "Latin-1",
            [
                (CLIENT, b"M\xfcller\r\n"),
                (SERVER, b"M\xfcller\x1b\xa0\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
            settings=LATIN,
        ),
        Conversation("nothing asked", [(CLIENT, END)]),
        Conversation("not UTF-8", [(CLIENT, b"M\xfcller\r\n")], outcome=Outcome.DENIED),
        Conversation("empty", [(CLIENT, b"\r\n")], outcome=Outcome.DENIED),
        Conversation("control character", [(CLIENT, b"a\x00b\r\n")], outcome=Outcome.DENIED),
        Conversation("lone LF", [(CLIENT, b"example.com\n")], outcome=Outcome.DENIED),
        Conversation("two queries", [(CLIENT, b"a\r\nb\r\n")], outcome=Outcome.DENIED),
        Conversation(
            "long answer",
            [(CLIENT, b"a\r\n"), (SERVER, b"x" * 21)],
            settings=LATIN,
            outcome=Outcome.DENIED,
        ),
    )


def ask(query: bytes, settings: WhoisSettings | None = None) -> FakeSession:
    """What comes of a query."""
    session = FakeSession(WhoisInspector, settings).start()
    session.says(CLIENT, query)
    return session


class WhoisTests(SynchronousTestCase):
    """What the operator of a Whois service gets."""

    def test_allowed(self) -> None:
        """An allowed query reaches the server and the audit log."""
        session = ask(b"n + 192.0.2.1\r\n")
        self.assertEqual(session.sent[SERVER], b"n + 192.0.2.1\r\n")
        session.over(PASSED)
        (record,) = session.records_of("whois")
        self.assertEqual((record["query"], record["verdict"]), ("n + 192.0.2.1", "passed"))

    def test_denied(self) -> None:
        """What the pattern does not match never reaches the server; the client reads why."""
        session = ask(b"-h other.example x\r\n", WhoisSettings(queries=re.compile(r"[a-z.]+")))
        self.assertEqual(session.connected, [])
        self.assertEqual(session.sent[CLIENT], b"% This query is not allowed.\r\n")
        self.assertIn("'queries'", str(session.verdict))
        self.assertEqual(session.records_of("whois")[0]["denied_by"], "queries")

    def test_malformed(self) -> None:
        """A client that does not speak Whois is told so."""
        for query in (b"a" * 600, b"a\nb\r\n", b"\x1b\r\n", b"\xff\r\n"):
            self.assertEqual(ask(query).sent[CLIENT], b"% That is not a whois query.\r\n")

    def test_terminal(self) -> None:
        """Of an answer, only what a terminal can show safely is left."""
        session = ask(b"a\r\n")
        session.says(SERVER, "\x1b[31mZo\u00eb\u202e\u009b1m\n".encode() + b"\xff")
        self.assertEqual(session.sent[CLIENT].decode(), "[31mZo\u00eb1m\r\n\ufffd")

    def test_answer_limit(self) -> None:
        """A client gets as much of an answer as is allowed, and reads that there was more."""
        session = ask(b"a\r\n", WhoisSettings(answer_bytes=3))
        session.says(SERVER, b"abcd")
        note = b"\r\n% The rest of the answer was cut off.\r\n"
        self.assertEqual(session.sent[CLIENT], b"abc" + note)

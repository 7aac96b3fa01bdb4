"""Finger queries are parsed, decided and written anew; answers can't drive a terminal."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Denied, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from protocols.finger import FingerInspector, FingerSettings, Query

OPEN = FingerSettings(
    list_users=True,
    forwarding=True,
    forwarding_hosts=2,
    international=True,
    users=re.compile(".*"),
    answer_bytes=30,
)


class FingerSuite(InspectorSuite, SynchronousTestCase):
    """What every inspector has to pass."""

    inspector = FingerInspector
    conversations = (
        Conversation(
            "one user",
            [
                (CLIENT, b"bob\r\n"),
                (SERVER, b"Login: bob\tName: Bob\r\n"),
                (SERVER, b"No Plan.\r\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
        ),
        Conversation(
            "verbose, of a client that ends at once",
            [(CLIENT, b"/W bob\r\n"), (CLIENT, END), (SERVER, b"bob\n\x1b[2J\r\n"), (SERVER, END)],
        ),
        Conversation(
            "everybody, in UTF-8",
            [
                (CLIENT, b"/W \r\n"),
                (SERVER, "Zo\u00eb \u202e\u009b".encode() + b"\xff\r\n"),
                (SERVER, END),
                (CLIENT, END),
            ],
            settings=OPEN,
        ),
        Conversation(
            "forwarded",
            [(CLIENT, b"/w bob@a.example@b\r\n"), (SERVER, b"ok"), (SERVER, END), (CLIENT, END)],
            settings=OPEN,
        ),
        Conversation("nothing asked", [(CLIENT, END)]),
        Conversation("no user", [(CLIENT, b"\r\n")], outcome=Outcome.DENIED),
        Conversation("no forwarding", [(CLIENT, b"bob@host\r\n")], outcome=Outcome.DENIED),
        Conversation(
            "too far", [(CLIENT, b"bob@a@b@c\r\n")], settings=OPEN, outcome=Outcome.DENIED
        ),
        Conversation("not that user", [(CLIENT, b"-l\r\n")], outcome=Outcome.DENIED),
        Conversation("cut off", [(CLIENT, b"bob"), (CLIENT, END)], outcome=Outcome.DENIED),
        Conversation("lone LF", [(CLIENT, b"bob\n")], outcome=Outcome.DENIED),
        Conversation("two queries", [(CLIENT, b"bob\r\nalice\r\n")], outcome=Outcome.DENIED),
        Conversation("control character", [(CLIENT, b"b\x00b\r\n")], outcome=Outcome.DENIED),
        Conversation(
            "long answer",
            [(CLIENT, b"bob\r\n"), (SERVER, b"x" * 31)],
            settings=OPEN,
            outcome=Outcome.DENIED,
        ),
    )


def ask(query: bytes, settings: FingerSettings | None = None) -> FakeSession:
    """What comes of a query."""
    session = FakeSession(FingerInspector, settings).start()
    session.says(CLIENT, query)
    return session


class FingerTests(SynchronousTestCase):
    """What the operator of a Finger service gets."""

    def test_allowed(self) -> None:
        """An allowed query reaches the server in the standard's form, and the audit log."""
        session = ask(b"/w   bob\r\n")
        self.assertEqual(session.sent[SERVER], b"/W bob\r\n")
        session.says(SERVER, b"no plan\r\n")
        session.hangs_up(SERVER)
        session.hangs_up(CLIENT)
        (record,) = session.records_of("finger")
        self.assertEqual(record["size"], 9)
        self.assertEqual((record["user"], record["verbose"]), ("bob", True))
        self.assertEqual(record["verdict"], "passed")

    def test_server_is_spared(self) -> None:
        """The server never hears of a client whose query is not allowed; the audit log does."""
        session = ask(b"bob@internal\r\n")
        self.assertEqual(session.connected, [])
        self.assertEqual(session.records_of("finger")[0]["denied_by"], "forwarding")

    def test_replies(self) -> None:
        """A client that is refused reads why, in the words of RFC 1288."""
        for query, reply in (
            (b"a@b\r\n", b"Finger forwarding service denied\r\n"),
            (b"\r\n", b"Finger online user list denied\r\n"),
            (b"..\r\n", b"That user may not be asked for.\r\n"),
            (b"a b c\r\n", b"That is not a finger query.\r\n"),
            (b"a" * 600, b"That is not a finger query.\r\n"),
        ):
            self.assertEqual(ask(query).sent[CLIENT], reply)

    def test_host_bytes(self) -> None:
        """The names of hosts have a limit."""
        settings = FingerSettings(forwarding=True, host_bytes=5)
        self.assertEqual(ask(b"a@abcde\r\n", settings).sent[SERVER], b"a@abcde\r\n")
        session = ask(b"a@abcdef\r\n", settings)
        self.assertEqual(session.sent[CLIENT], b"Finger forwarding service denied\r\n")
        self.assertEqual(session.records_of("finger")[0]["denied_by"], "host_bytes")

    def test_everybody_elsewhere(self) -> None:
        """A forwarded query without a user is a list of users, too."""
        session = ask(b"@host\r\n", FingerSettings(forwarding=True))
        self.assertIn("list_users", str(session.verdict))

    def test_terminal(self) -> None:
        """Of an answer, only what a terminal can show safely is left; bare LFs become CRLF."""
        session = ask(b"bob\r\n")
        session.says(SERVER, b"\x1b]0;owned\x07a\tb\nc\r\nd\re\x9b\xc3\xa9~\x7f")
        self.assertEqual(session.sent[CLIENT], b"]0;owneda\tb\r\nc\r\nde~")

    def test_answer_limit(self) -> None:
        """A client gets as much of an answer as is allowed, and reads that there was more."""
        session = ask(b"bob\r\n", FingerSettings(answer_bytes=3))
        session.says(SERVER, b"abcd")
        note = b"\r\nThe rest of the answer was cut off.\r\n"
        self.assertEqual(session.sent[CLIENT], b"abc" + note)

    @given(st.binary(max_size=40))
    def test_query_round_trip(self, line: bytes) -> None:
        """What is sent on is understood by the next one exactly as it was here."""
        try:
            query = Query.parse(line)
        except Denied:
            return
        self.assertTrue(query.line().endswith(b"\r\n"))
        self.assertEqual(Query.parse(query.line()[:-2]), query)

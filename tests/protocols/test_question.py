"""One question, one answer: what the operators of Finger and Whois services get alike."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.finger import FingerInspector
from protocols.whois import WhoisInspector

KINDS = (
    # inspector, what the gateway's lines begin with, a query, one that can't be read
    (FingerInspector, b"", b"bob\r\n", b"a b c\r\n"),
    (WhoisInspector, b"% ", b"example.com\r\n", b"a\x00b\r\n"),
)


def begun(inspector: Any, said: bytes = b"", **settings: Any) -> FakeSession:
    """A session whose client says this."""
    session = FakeSession(inspector, evolve(inspector.Settings(), **settings)).start()
    if said:
        session.says(CLIENT, said)
    return session


def record(session: FakeSession) -> dict[str, Any]:
    """The one record."""
    session.over()
    ((event, _),) = session.recorded
    return session.records_of(event)[0]


class QuestionTests(SynchronousTestCase):
    """Words, times and records."""

    def test_texts(self) -> None:
        """The operator's lines are before and behind the answer, marked as no part of it."""
        for inspector, mark, query, _ in KINDS:
            session = begun(inspector, query, text_before="For you.\nOnly.", text_after="The end.")
            self.assertEqual(session.sent[CLIENT], b"")
            session.says(SERVER, b"the answer\n")
            session.hangs_up(SERVER)
            lines = [mark + b"For you.", mark + b"Only.", b"the answer", mark + b"The end.", b""]
            self.assertEqual(session.sent[CLIENT], b"\r\n".join(lines))

    def test_texts_of_no_answer(self) -> None:
        """So they are if the server has nothing to say; one that was cut off has them too."""
        for inspector, mark, query, _ in KINDS:
            texts: dict[str, Any] = {"text_before": "a", "text_after": "z"}
            session = begun(inspector, query, **texts)
            session.hangs_up(SERVER)
            self.assertEqual(session.sent[CLIENT], mark + b"a\r\n" + mark + b"z\r\n")
            session = begun(inspector, query, answer_bytes=1, **texts)
            session.says(SERVER, b"xy")
            self.assertTrue(session.sent[CLIENT].endswith(b"cut off.\r\n" + mark + b"z\r\n"))
            self.assertEqual(record(session)["denied_by"], "answer_bytes")

    def test_slow_client(self) -> None:
        """A client that asks nothing in time is told so."""
        for inspector, mark, query, _ in KINDS:
            session = begun(inspector, query[:-1], query_seconds=5.0)
            session.advance(6)
            self.assertEqual(session.sent[CLIENT], mark + b"Nothing was asked in time.\r\n")
            self.assertEqual(session.verdict.reason, "time limit: query_seconds = 5")
            self.assertIs(session.verdict.outcome, Outcome.FAILED)
            self.assertEqual(session.recorded, [])

    def test_slow_server(self) -> None:
        """So is a client whose server is silent, from the beginning or in the middle."""
        for inspector, mark, query, _ in KINDS:
            for said in (b"", b"half of"):
                session = begun(inspector, query, answer_seconds=5.0)
                for _ in range(3 * bool(said)):
                    session.advance(4)
                    session.says(SERVER, said)
                session.advance(4)
                self.assertIsNone(session.verdict)
                session.advance(2)
                words = b"\r\n" * bool(said) + mark + b"The server takes too long.\r\n"
                self.assertTrue(session.sent[CLIENT].endswith(words), session.sent[CLIENT])
                self.assertEqual(record(session)["reason"], "time limit: answer_seconds = 5")

    def test_unreachable(self) -> None:
        """So is one whose server can't be reached, or is lost before it has said anything."""
        for inspector, mark, query, _ in KINDS:
            session = FakeSession(inspector, reachable=False).start()
            session.says(CLIENT, query)
            self.assertEqual(session.sent[CLIENT], mark + b"The server does not answer.\r\n")
            self.assertEqual(record(session)["verdict"], "failed")
            session = begun(inspector, query)
            session.resets(SERVER)
            self.assertEqual(session.sent[CLIENT], mark + b"The server does not answer.\r\n")
            self.assertEqual(record(session)["verdict"], "reset")

    def test_broken_off(self) -> None:
        """An answer that breaks off does not look like a whole one."""
        for inspector, mark, query, _ in KINDS:
            session = begun(inspector, query)
            session.says(SERVER, b"half of")
            session.resets(SERVER)
            words = b"half of\r\n" + mark + b"The server broke the answer off.\r\n"
            self.assertEqual(session.sent[CLIENT], words)
            self.assertEqual(record(session)["size"], 7)

    def test_not_read(self) -> None:
        """What can't be read is recorded as it came, however it was cut."""
        for inspector, _, query, wrong in KINDS:
            for said, shown in (
                (wrong, wrong[:-2]),
                (query[:-2] + b"\nrest", query[:-2]),
                (b"a" * 600, b"a" * 512),
                (b"a\rb\r\n", b"a"),
            ):
                for pieces in ([said], [said[at : at + 1] for at in range(len(said))]):
                    session = begun(inspector)
                    for piece in pieces:
                        if session.verdict is None:
                            session.says(CLIENT, piece)
                    found = record(session)
                    self.assertEqual((found["query"], found["verdict"]), (shown, "denied"))
                    self.assertEqual(found["denied_by"], "protocol")
            session = begun(inspector, query[:-2])
            session.hangs_up(CLIENT)
            self.assertEqual(record(session)["query"], query[:-2])

    def test_two(self) -> None:
        """A question with more behind it has one record, which says so."""
        for inspector, _, query, _ in KINDS:
            found = record(begun(inspector, query + b"x"))
            self.assertEqual((found["verdict"], found["denied_by"]), ("denied", "protocol"))

    def test_nothing(self) -> None:
        """Who asks nothing has no record but the flow's."""
        for inspector, *_ in KINDS:
            session = begun(inspector)
            session.hangs_up(CLIENT)
            self.assertEqual(session.recorded, [])
            self.assertIs(session.verdict.outcome, Outcome.PASSED)

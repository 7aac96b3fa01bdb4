"""What has to pass: good messages of all kinds, and what they look like on the other side."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from tests.protocols.http.corpus import GET
from tests.protocols.http.corpus.accepted import REQUESTS, RESPONSES
from tests.protocols.http.corpus.real import REQUESTS as REAL_REQUESTS
from tests.protocols.http.corpus.real import RESPONSES as REAL_RESPONSES
from tests.protocols.http.parsers import ANSWER

SMALL = 20


def passed_requests(data: bytes, size: int) -> FakeSession:
    """A session in which each request was answered, and then both sides ended."""
    session = FakeSession(HttpInspector).start()
    for at in range(0, len(data), size):
        session.says(CLIENT, data[at : at + size])
    while session.inspector.dialogue.pending.oldest is not None and session.verdict is None:  # type: ignore[attr-defined]
        session.says(SERVER, ANSWER)
    session.hangs_up(CLIENT)
    session.hangs_up(SERVER)
    return session


class AcceptedTests(SynchronousTestCase):
    """Strict, not narrow."""

    def test_requests(self) -> None:
        """They reach the server, those with one spelling as they are."""
        for row in REQUESTS:
            for size in (len(row.data), SMALL):
                session = passed_requests(row.data, size)
                self.assertEqual(session.sent[SERVER], row.passed, row.name)
                assert session.verdict is not None, row.name
                self.assertIs(session.verdict.outcome, Outcome.PASSED, row.name)

    def test_responses(self) -> None:
        """They reach the client."""
        for row in RESPONSES:
            for size in (len(row.data), SMALL):
                session = FakeSession(HttpInspector).start()
                session.says(CLIENT, GET + b"Range: bytes=0-\r\n\r\n")
                for at in range(0, len(row.data), size):
                    session.says(SERVER, row.data[at : at + size])
                session.hangs_up(SERVER)
                self.assertEqual(session.sent[CLIENT], row.passed, row.name)
                assert session.verdict is None or session.verdict.outcome is Outcome.PASSED, (
                    row.name
                )

    def test_real(self) -> None:
        """What real programs send passes, all of it over one connection."""
        for data in REAL_REQUESTS:
            records = passed_requests(data, len(data)).records_of("http")
            self.assertEqual([each["verdict"] for each in records], ["passed"], data)
        for data in REAL_RESPONSES:
            session = FakeSession(HttpInspector).start()
            session.says(CLIENT, GET + b"Range: bytes=0-\r\n\r\n")
            session.says(SERVER, data)
            session.hangs_up(SERVER)
            self.assertEqual(
                [each["verdict"] for each in session.records_of("http")], ["passed"], data
            )

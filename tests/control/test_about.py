"""What inspectors say of themselves, to an operator who looks at their session."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER
from gateway.testing.session import FakeSession
from protocols.ftp.inspector import FtpInspector
from protocols.http.inspector import HttpInspector
from protocols.pop3.inspector import Pop3Inspector
from protocols.relay import RelayInspector
from protocols.smtp.inspector import SMTPInspector
from protocols.tls.inspector import TlsInspector
from protocols.tls.settings import TlsSettings
from tests.protocols.tls.test_inspector import HELLO


class AboutTests(SynchronousTestCase):
    """Each in the middle of a conversation."""

    def session(self, making: Any, settings: Any = None) -> FakeSession:
        return FakeSession(making, settings).start()

    def assertAbout(self, session: FakeSession, words: str) -> None:
        inspector: Any = session.inspector
        self.assertEqual(inspector.about(), words)

    def test_relay(self) -> None:
        """Nothing is known, and it says so."""
        self.assertAbout(self.session(RelayInspector), "nothing is looked at")

    def test_http(self) -> None:
        """How many requests, and how far the present one has come."""
        session = self.session(HttpInspector)
        self.assertAbout(session, "no request yet")
        session.says(CLIENT, b"GET /a?b HTTP/1.1\r\nHost: www.example\r\n\r\n")
        asked = "requests: 1; GET www.example/a?b"
        self.assertAbout(session, f"{asked} waits for the server's answer")
        session.says(SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
        self.assertAbout(session, f"{asked} its answer, 200, is on its way")
        session.says(SERVER, b"llo")
        self.assertAbout(session, "requests: 1, all answered")

    def test_ftp(self) -> None:
        """Who is logged in, and what is asked for; never a password."""
        session = self.session(FtpInspector)
        session.says(SERVER, b"220 ready\r\n")
        session.says(CLIENT, b"USER alice\r\n")
        session.says(SERVER, b"331 password\r\n")
        session.says(CLIENT, b"PASS secret\r\n")
        self.assertAbout(session, "not logged in; PASS is to be answered")
        session.says(SERVER, b"230 in\r\n")
        self.assertAbout(session, "logged in")

    def test_smtp(self) -> None:
        """Who sends, to how many."""
        session = self.session(SMTPInspector)
        session.says(SERVER, b"220 ready\r\n")
        self.assertAbout(session, "no EHLO yet, messages before: 0")
        for asked, answer in (
            (b"EHLO client.example\r\n", b"250 server.example\r\n"),
            (b"MAIL FROM:<a@a.example>\r\n", b"250 ok\r\n"),
            (b"RCPT TO:<b@b.example>\r\n", b"250 ok\r\n"),
        ):
            session.says(CLIENT, asked)
            session.says(SERVER, answer)
        words = "EHLO client.example, messages before: 0, mail from <a@a.example> recipients: 1"
        self.assertAbout(session, words)

    def test_pop3(self) -> None:
        """Who has logged in, and what is asked for; never a password."""
        session = self.session(Pop3Inspector)
        session.says(SERVER, b"+OK ready\r\n")
        session.says(CLIENT, b"USER alice\r\n")
        session.says(SERVER, b"+OK\r\n")
        session.says(CLIENT, b"PASS secret\r\n")
        self.assertAbout(session, "authorization, user alice; PASS is to be answered")

    def test_tls(self) -> None:
        """Whom the client wants, and what becomes of that."""
        session = self.session(TlsInspector, TlsSettings(mode="splice"))
        self.assertAbout(session, "waits for the client's hello")
        session.says(CLIENT, HELLO)
        self.assertAbout(session, "www.example.org: splice (tls.mode)")

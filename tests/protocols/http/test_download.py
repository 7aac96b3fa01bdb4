"""A file that is held until it is judged, and the page that a browser reads meanwhile."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import NO_ENVELOPE
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Stack

SETTINGS = HttpSettings(stack=Stack(response="scan", page_seconds=3.0))
BROWSER = (
    b"Host: a.example\r\nUpgrade-Insecure-Requests: 1\r\n"
    b"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
)
GET = b"GET /d/%%3Cb%%3E.zip HTTP/1.1\r\n%b\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n"
FILE = HEAD + b"Content-Length: 1000\r\n\r\n"
REFRESH = re.compile(rb'<meta http-equiv="refresh" content="0;url=(/[^"]+)">')


class Held:
    """A body that nobody judges before the test does."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink
        self.data = b""
        self.complete = self.cancelled = False

    def send(self, data: bytes) -> None:
        self.data += data

    def end(self) -> None:
        self.complete = True

    def cancel(self) -> None:
        self.cancelled = True


class HoldingSession(FakeSession):
    """With a scanner that the test plays."""

    held: Held
    envelope_told: Any

    def stack(self, service: str, sink: Any, envelope: Any = NO_ENVELOPE) -> Any:
        self.envelope_told = envelope
        self.held = Held(sink)
        return self.held


class DownloadTests(SynchronousTestCase):
    """One browser, one file."""

    def begin(
        self, asked: bytes = GET % BROWSER, answer: bytes = FILE, settings: Any = SETTINGS
    ) -> HoldingSession:
        """Half of it has come."""
        session = HoldingSession(HttpInspector, settings, keeping=frozenset({"scan"}))
        session.start()
        session.says(CLIENT, asked)
        session.says(SERVER, answer + b"x" * 500)
        return session

    def page(self, session: HoldingSession) -> bytes:
        """What is on it so far."""
        _, _, body = session.sent[CLIENT].partition(b"\r\n\r\n")
        return body

    def link(self, session: HoldingSession) -> bytes:
        """That which the page fetches; it is complete then."""
        self.assertTrue(session.sent[CLIENT].endswith(b"0\r\n\r\n"), session.sent[CLIENT])
        session.advance(0.5)
        found = REFRESH.search(session.sent[CLIENT])
        assert found is not None
        return found[1]

    def judged(self) -> HoldingSession:
        """All has come, and may pass; the page is complete."""
        session = self.begin()
        session.advance(4)
        session.says(SERVER, b"x" * 500)
        session.held.sink.received(b"x" * 1000)
        session.held.sink.ended()
        return session

    def fetch(self, session: HoldingSession, link: bytes, head: bytes = BROWSER) -> bytes:
        """What is answered to that."""
        session.sent[CLIENT] = b""
        session.says(CLIENT, b"GET %b HTTP/1.1\r\n%b\r\n" % (link, head))
        return session.sent[CLIENT]

    def test_fetched(self) -> None:
        """The page names the file, says how far it is, and fetches it when it may pass."""
        session = self.begin()
        self.assertEqual(session.sent[CLIENT], b"")
        session.advance(4)
        head = session.sent[CLIENT].partition(b"\r\n\r\n")[0]
        self.assertIn(b"\r\nContent-Security-Policy: default-src 'none'; ", head)
        self.assertIn(b"<h1>&lt;b&gt;.zip</h1>", self.page(session))
        self.assertIn(b"<p>50 % of 1 KiB</p>", self.page(session))
        self.assertNotIn(b"script", self.page(session))
        session.says(SERVER, b"x" * 500)
        session.advance(4)
        self.assertIn(b"<p>100 % of 1 KiB</p>", self.page(session))
        self.assertNotIn(b"xxx", session.sent[CLIENT])
        session.held.sink.received(b"x" * 1000)
        session.held.sink.ended()
        link = self.link(session)
        self.assertTrue(link.endswith(b"/%3Cb%3E.zip"), link)
        self.assertGreater(len(link), 40)
        self.assertEqual(self.fetch(session, link), FILE + b"x" * 1000)
        (record,) = session.records_of("http")
        self.assertEqual((record["verdict"], record["status"]), ("passed", 200))
        self.assertTrue(record["progress_page"])
        self.assertIn(b" 404 ", self.fetch(session, link))  # once
        self.assertEqual(session.sent[SERVER].count(b"GET "), 1)

    def test_soon(self) -> None:
        """What is judged soon comes as it is."""
        session = self.begin()
        session.says(SERVER, b"x" * 500)
        session.held.sink.received(b"x" * 1000)
        session.held.sink.ended()
        session.advance(10)
        self.assertEqual(session.sent[CLIENT], FILE + b"x" * 1000)
        self.assertNotIn("progress_page", session.records_of("http")[0])

    def test_held_back(self) -> None:
        """Whoever holds the file sends no more of it before it is asked for."""
        session = self.begin()
        session.advance(4)
        session.held.sink.received(b"x" * 600)
        flushed = session.held.sink.flushed()
        self.assertFalse(flushed.called)
        answer = self.fetch(session, self.link(session))
        self.assertEqual(answer, FILE + b"x" * 600)
        self.assertTrue(flushed.called)

    def test_too_much(self) -> None:
        """One that sends it nevertheless is refused, when there is no room any more."""
        session = self.begin()
        session.advance(4)
        for _ in range(20):
            session.held.sink.received(b"x" * 100_000)
        self.assertIsNotNone(session.verdict or session.held.sink._refused)

    def test_refused(self) -> None:
        """What does not pass: the page fetches the page that says why."""
        session = self.begin()
        session.advance(4)
        session.held.sink.denied("a virus", b"It had a virus.", Outcome.DENIED)
        session.says(SERVER, b"x" * 500)
        answer = self.fetch(session, self.link(session))
        self.assertIn(b" 403 ", answer)
        self.assertIn(b"It had a virus.", answer)
        self.assertEqual(session.records_of("http")[0]["verdict"], "denied")
        self.assertTrue(session.held.cancelled)

    def test_missed(self) -> None:
        """A page that does not fetch it has had its time; nothing is left."""
        session = self.judged()
        self.link(session)
        session.advance(70)
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.FAILED)
        self.assertNotIn(b"xxx", session.sent[CLIENT])
        self.assertIn("page_wait_seconds", session.records_of("http")[0]["reason"])

    def test_others(self) -> None:
        """By another link, host or method nobody gets it."""
        for asked in (
            b"GET %b HTTP/1.1\r\nHost: b.example\r\n\r\n",
            b"POST %b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx",
            b"GET %bx HTTP/1.1\r\nHost: a.example\r\n\r\n",
            b"GET /other HTTP/1.1\r\nHost: a.example\r\n\r\n",
        ):
            session = self.judged()
            link = self.link(session)
            session.says(CLIENT, asked % link if b"%" in asked else asked)
            self.assertIsNotNone(session.verdict, asked)
            self.assertNotIn(b"xxx", session.sent[CLIENT])
            self.assertNotIn(link, session.sent[SERVER])

    def test_strangers(self) -> None:
        """A link on another connection is answered, and goes to no server."""
        link = self.link(self.judged())
        session = HoldingSession(HttpInspector, SETTINGS).start()
        answer = self.fetch(session, link)  # type: ignore[arg-type]
        self.assertIn(b" 404 ", answer)
        self.assertIn(b"is not waiting here any more", answer)
        self.assertEqual(session.sent[SERVER], b"")

    def test_cut_off(self) -> None:
        """A server that breaks off: the page says so."""
        session = self.begin()
        session.advance(4)
        session.hangs_up(SERVER)
        self.assertIn(b"has broken it off", session.sent[CLIENT])
        self.assertEqual(session.records_of("http")[0]["verdict"], "failed")

    def test_left(self) -> None:
        """A browser that leaves: the file goes with it."""
        session = self.begin()
        session.advance(4)
        session.resets(CLIENT)
        self.assertIsNotNone(session.verdict)
        session = self.judged()
        session.hangs_up(CLIENT)
        session.advance(70)
        self.assertIsNotNone(session.verdict)

    def test_only_browsers(self) -> None:
        """Programs, parts of pages and pages themselves wait as they always did."""
        for wrong in (
            BROWSER.replace(b"text/html", b"image/png"),
            BROWSER.replace(b"Upgrade-Insecure-Requests: 1\r\n", b""),
            BROWSER + b"Sec-Fetch-Dest: iframe\r\n",
            BROWSER + b"Sec-Fetch-Mode: cors\r\n",
            BROWSER + b"Range: bytes=0-\r\n",
            BROWSER + b"Connection: close\r\n",
            BROWSER + b"X-Requested-With: XMLHttpRequest\r\n",
        ):
            session = self.begin(GET % wrong)
            session.advance(20)
            self.assertEqual(session.sent[CLIENT], b"", wrong)
            self.assertFalse(session.envelope_told.told)
        for kind in (b"text/html", b"image/png", b"application/xhtml+xml", b"application/pdf"):
            session = self.begin(answer=FILE.replace(b"application/zip", kind))
            session.advance(20)
            self.assertEqual(session.sent[CLIENT], b"", kind)
        attached = FILE.replace(b"application/zip", b"text/html\r\nContent-Disposition: Attachment")
        session = self.begin(answer=attached)
        session.advance(4)
        self.assertIn(b"</h1>", session.sent[CLIENT])
        self.assertTrue(session.envelope_told.told)
        off = HttpSettings(stack=Stack(response="scan"))
        session = self.begin(settings=off)
        session.advance(20)
        self.assertEqual(session.sent[CLIENT], b"")

    def test_unknown_length(self) -> None:
        """In chunks; the page tells how much has come each time that it has doubled."""
        session = self.begin(answer=HEAD + b"Transfer-Encoding: chunked\r\n\r\n1f4\r\n")
        session.advance(4)
        self.assertIn(b"<p>more than 0 KiB</p>", self.page(session))
        session.says(SERVER, b"\r\n0\r\n\r\n")
        session.held.sink.received(b"x" * 500)
        session.held.sink.ended()
        answer = self.fetch(session, self.link(session))
        self.assertTrue(answer.endswith(b"1f4\r\n%b\r\n0\r\n\r\n" % (b"x" * 500)))

"""Bodies that an ICAP server judges: what it is asked, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import Envelope, FtpEnvelope, HttpEnvelope
from gateway.interfaces import CLIENT, SERVER, Denied, Outcome
from gateway.scanning.spool import Spools
from gateway.testing import END, Conversation, FakeSession, InspectorSuite, every_split
from gateway.testing.tools import FakeLine, FakeTools
from protocols.scanners.fault import ScannerFault
from protocols.scanners.heard import Heard
from protocols.scanners.icap.answer import Head, body_of, read_head, read_message
from protocols.scanners.icap.inspector import IcapInspector, IcapSettings, Known, read_service
from protocols.scanners.icap.options import options
from tests.protocols.scanners.clamd import VIRUS
from tests.protocols.scanners.icap import CONTINUE, FOUND, NOTHING, OPTIONS, Icap, partial, same

SETTINGS = IcapSettings(send_client=True, send_user=True)
DOWNLOAD = Envelope(
    protocol="http",
    direction="download",
    user="Jürgen",
    filename="a.bin",
    http=HttpEnvelope(
        "GET",
        "http://a.example/a.bin",
        "1.1",
        206,
        "Part",
        (("Host", "a.example"),),
        (("Content-Type", "text/plain"),),
    ),
)
HEAD = b"HTTP/1.1 206 Part\r\nContent-Type: text/plain\r\n\r\n"


def scan(
    body: bytes, answer: Callable[..., None], envelope: Envelope = DOWNLOAD, **how: Any
) -> FakeSession:
    """A body, judged."""
    tools = FakeTools(answer, Spools("", 1 << 24, 1 << 24))
    session = FakeSession(
        IcapInspector, evolve(SETTINGS, **how), envelope=envelope, tools=tools
    ).start()
    if body:
        session.says(CLIENT, body)
    session.hangs_up(CLIENT)
    return session


class IcapTests(SynchronousTestCase):
    """What is asked, and what becomes of the body."""

    def found(self, session: FakeSession) -> Any:
        """What was found in it."""
        (record,) = session.records_of("fileinfo")
        return record["scan"].get("found", record["scan"]["result"])

    def test_clean(self) -> None:
        """The service gets the message that the body belongs to, and who wants it."""
        icap = Icap()
        session = scan(b"some bytes and more", icap)
        self.assertEqual(session.sent[SERVER], b"some bytes and more")
        (asked, _), (head, body) = icap.requests
        self.assertTrue(
            asked.startswith(b"OPTIONS icap://127.0.0.1:1344/avscan ICAP/1.0\r\nHost: "), asked
        )
        self.assertEqual(body, b"some bytes and more")
        request = b"GET http://a.example/a.bin HTTP/1.1\r\nHost: a.example\r\n\r\n"
        response = HEAD[:-2] + b"Content-Length: 19\r\n\r\n"
        self.assertTrue(head.endswith(b"\r\n\r\n" + request + response), head)
        for line in (
            b"Encapsulated: req-hdr=0, res-hdr=%d, res-body=%d"
            % (len(request), len(request + response)),
            b"Preview: 10",
            b"Allow: 204",
            b"X-Client-IP: " + session.client.host.encode(),
            b"X-Authenticated-User: TG9jYWw6Ly9Kw7xyZ2Vu",
        ):
            self.assertIn(b"\r\n" + line + b"\r\n", head)
        (record,) = session.records_of("fileinfo")
        self.assertEqual(record["scan"]["scanner"], 'C-ICAP/0.5.10 server - Antivirus "CI0001-a"')
        self.assertTrue(session.tools.lines[0].kept)

    def test_silent(self) -> None:
        """Who the client is, is nobody's business unless the policy says so."""
        icap = Icap()
        scan(b"some bytes", icap, send_client=False, send_user=False)
        self.assertNotIn(b"X-", icap.requests[1][0])

    def test_found(self) -> None:
        """What is found has the name that the service gives it."""
        session = scan(VIRUS, Icap())
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(self.found(session), ["Test.Virus"])
        self.assertTrue(session.tools.lines[0].kept)

    def test_upload(self) -> None:
        """Uploads are requests; files and mails are dressed as such."""
        for envelope, line in (
            (
                evolve(DOWNLOAD, direction="upload", http=HttpEnvelope("PUT", "http://a/b")),
                b"PUT http://a/b HTTP/1.1",
            ),
            (
                Envelope("ftp", ftp=FtpEnvelope("STOR", "/a b/ü")),
                b"PUT ftp://198.51.100.2/a%20b/%C3%BC HTTP/1.1",
            ),
            (
                Envelope("smtp", media_type="message/rfc822"),
                b"PUT smtp://198.51.100.2/message HTTP/1.1",
            ),
        ):
            icap = Icap()
            session = scan(b"body", icap, envelope)
            self.assertEqual(session.sent[SERVER], b"body")
            head = icap.requests[1][0]
            self.assertTrue(
                head.startswith(b"REQMOD icap://127.0.0.1:1344/avscan ICAP/1.0\r\n"), head
            )
            self.assertIn(b"\r\n\r\n" + line + b"\r\n", head)
            self.assertEqual(self.found(scan(VIRUS, Icap(), envelope)), ["Test.Virus"])

    def test_preview(self) -> None:
        """A service that has seen enough says so; the preview may be all there is, or nothing."""
        for size, preview in ((9, b"9"), (10, b"10"), (11, b"10")):
            icap = Icap(NOTHING)
            session = scan(b"x" * size, icap)
            head, body = icap.requests[1]
            self.assertIn(b"\r\nPreview: %b\r\n" % preview, head)
            self.assertEqual(len(body), min(size, 10))
            self.assertEqual(len(session.sent[SERVER]), size)
        for said in (b"Preview: 0\r\n", b""):
            icap = Icap(options=OPTIONS.replace(b"Preview: 10\r\n", said))
            self.assertEqual(self.found(scan(VIRUS, icap)), ["Test.Virus"])
            self.assertEqual(b"Preview: 0" in icap.requests[1][0], bool(said))

    def test_complete(self) -> None:
        """Types of files that the service wants whole have no preview."""
        icap = Icap(options=OPTIONS.replace(b"Transfer-P", b"Transfer-Complete: zip, Bin\r\nX-P"))
        scan(b"some bytes and more", icap)
        self.assertNotIn(b"Preview", icap.requests[1][0])
        for lists, previewed in (
            (b"Transfer-Complete: *\r\nTransfer-Preview: zip\r\n", False),
            (b"Transfer-Complete: *\r\nTransfer-Preview: zip, bin\r\n", True),
            (b"Transfer-Complete: zip\r\nTransfer-Ignore: *\r\n", True),
        ):
            icap = Icap(options=OPTIONS.replace(b"Transfer-Preview: *\r\n", lists))
            scan(b"some bytes and more", icap)
            self.assertEqual(b"\r\nPreview: " in icap.requests[1][0], previewed, lists)

    def test_empty(self) -> None:
        """A message without a body is asked about as one."""
        icap = Icap()
        session = scan(b"", icap)
        self.assertIn(b"null-body=", icap.requests[1][0])
        self.assertEqual(session.halves, {SERVER})

    def test_given_back(self) -> None:
        """A service that gives back what it got, in place of saying that, has found nothing."""
        upload = evolve(DOWNLOAD, direction="upload", http=HttpEnvelope("PUT", "http://a/b"))
        body = b"x" * 300_000
        settings = {"memory_bytes": 1000}
        session = scan(body, Icap(same(HEAD, body)), **settings)
        self.assertEqual(len(session.sent[SERVER]), 300_000)
        request = b"PUT http://a/b HTTP/1.1\r\n\r\n"
        self.assertEqual(self.found(scan(body, Icap(same(request, body, b"req")), upload)), "clean")

    def test_changed(self) -> None:
        """What it would change, or answer itself, does not pass."""
        upload = evolve(DOWNLOAD, direction="upload", http=HttpEnvelope("PUT", "http://a/b"))
        page = b"HTTP/1.1 403 No\r\n\r\n"
        for envelope, says, found in (
            (DOWNLOAD, same(HEAD, b"other bytes"), "changed by the service"),
            (DOWNLOAD, same(HEAD, b"some byte"), "changed by the service"),
            (DOWNLOAD, same(HEAD, b"some bytes!"), "changed by the service"),
            (DOWNLOAD, same(page, b"some bytes"), "refused by the service (403)"),
            (upload, same(page, b"some bytes"), "refused by the service (403)"),
            (
                upload,
                same(b"PUT http://b/blocked HTTP/1.1\r\n\r\n", b"some bytes", b"req"),
                "sent elsewhere by the service",
            ),
            (DOWNLOAD, NOTHING.replace(b"ISTag", b"X-Virus-ID: V\r\nISTag"), "V"),
            (
                DOWNLOAD,
                NOTHING.replace(b"ISTag", b"X-Infection-Found: Type=0; Threat=;\r\nISTag"),
                "Type=0; Threat=;",
            ),
            (
                DOWNLOAD,
                NOTHING.replace(b"ISTag", b"X-Violations-Found: \xa0\r\nISTag"),
                "\xa0 violations",
            ),
            (
                DOWNLOAD,
                NOTHING.replace(b"ISTag", b"X-Violations-Found: 2\r\n a\r\nI"),
                "2 violations",
            ),
        ):
            session = scan(b"some bytes", Icap(says), envelope)
            self.assertEqual(session.sent[SERVER], b"", says)
            self.assertEqual(self.found(session), [found])

    def test_edited(self) -> None:
        """With C{changes}, what it makes of a body passes in its place, whole or in part."""
        upload = evolve(DOWNLOAD, direction="upload", http=HttpEnvelope("PUT", "http://a/b"))
        line = b"PUT http://a/b HTTP/1.1\r\n\r\n"
        body = b"some bytes"
        for envelope, says, passes in (
            (DOWNLOAD, same(HEAD, b"other bytes"), b"other bytes"),
            (DOWNLOAD, same(HEAD, body), body),
            (DOWNLOAD, NOTHING, body),
            (upload, same(line, b"other", b"req"), b"other"),
            (DOWNLOAD, partial(HEAD, b"all", 4), b"all bytes"),
            (DOWNLOAD, partial(HEAD, b"some", 4), body),
            (DOWNLOAD, partial(HEAD, b"", 0), body),
            (DOWNLOAD, partial(HEAD, b"more: ", 0), b"more: some bytes"),
            (DOWNLOAD, partial(HEAD, b"none", 10), b"none"),
        ):
            icap = Icap(says)
            session = scan(body, icap, envelope, changes=True, memory_bytes=3)
            self.assertEqual(session.sent[SERVER], passes, says)
            self.assertIn(b"\r\nAllow: 204, 206\r\n", icap.requests[1][0])
            (record,) = session.records_of("fileinfo")
            self.assertEqual(record["scan"].get("changed", False), passes != body, says)

    def test_edited_wrong(self) -> None:
        """A page in its place, another coding, or a part of nothing does not pass."""
        page = b"HTTP/1.1 403 No\r\n\r\n"
        coded = HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n"
        for says, found in (
            (same(page, b"No"), ["refused by the service (403)"]),
            (same(coded, b"x"), ["coded otherwise by the service"]),
            (partial(HEAD, b"x", 11), "failed"),
            (partial(HEAD, b"x", 4).replace(b"; use-original-body=4", b""), "failed"),
            (partial(HEAD, b"x", 4).replace(b" 206 P", b" 200 O"), "failed"),
        ):
            session = scan(b"some bytes", Icap(says), changes=True)
            self.assertEqual(session.sent[SERVER], b"", says)
            self.assertEqual(self.found(session), found, says)
        session = scan(b"some bytes", Icap(partial(HEAD, b"all", 4)))
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(self.found(session), "failed")  # nobody has offered that

    def test_rubbish(self) -> None:
        """Whatever else it answers: nothing passes, and it is the scanner's fault."""
        page = b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=%d\r\n\r\n"
        for says in (
            b"",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"ICAP/1.0 204",
            b"ICAP/1.0 204 Fine\n\n",
            b"ICAP/1.0 404 Service not found\r\n\r\n",
            b"ICAP/1.0 503 Overloaded\r\n\r\n",
            b"ICAP/1.0 100 Continue\r\n\r\n",
            b"ICAP/1.0 204 Fine\r\nA : b\r\n\r\n",
            b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=7, res-hdr=0\r\n\r\n",
            b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=x\r\n\r\n",
            b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=2, res-body=21\r\n\r\n"
            b"HTTP/1.1 206 Part\r\n\r\na\r\nsome bytes\r\n0\r\n\r\n",
            b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=999999\r\n\r\n",
            page % 19 + b"HTTP/1.1 206 Part\r\n0\r\n\r\n",
            page % 21 + b"HTTP/1.1 206 Part\r\n\r\nx\r\n",
            page % 21 + b"HTTP/1.1 206 Part\r\n\r\n5\r\nhel",
            page % 21 + b"HTTP/1.1 206 Part\r\n\r\nfffffffff\r\n",
            b"x" * 100_000,
        ):
            session = scan(b"some bytes", Icap(says, closes=True))
            self.assertEqual(session.sent[SERVER], b"", says)
            (record,) = session.records_of("fileinfo")
            self.assertEqual((record["denied_by"], self.found(session)), ("on_error", "failed"))
            self.assertNotIn(session.tools.lines[0].dropped, (None, ""), says)

    def test_no_service(self) -> None:
        """A server that does not know the service, or its mode, or what it says, is of no use."""
        for said in (
            b"ICAP/1.0 404 Service not found\r\n\r\n",
            OPTIONS.replace(b"RESPMOD, ", b""),
            OPTIONS.replace(b"Preview: 10", b"Preview: -1"),
            OPTIONS.replace(b"null-body", b"opt-body"),
        ):
            session = scan(b"some bytes", Icap(options=said))
            self.assertEqual(session.sent[SERVER], b"")
            self.assertEqual(self.found(session), "failed")

    def test_connections(self) -> None:
        """How many connections a server takes, it says itself."""
        icap = Icap(options=OPTIONS.replace(b"Allow", b"Max-Connections: 3\r\nAllow"))
        self.assertEqual(scan(b"x", icap).tools.lines[0].limited, 3)

    def test_known(self) -> None:
        """What a service says of itself is asked again when it is old, or another one answers."""
        icap = Icap()
        known = Known(SETTINGS)

        def ask(says: bytes | None, seconds: float = 0) -> int:
            icap.says = says
            session = FakeSession(
                IcapInspector, SETTINGS, shared=known, envelope=DOWNLOAD, tools=FakeTools(icap)
            ).start()
            session.advance(seconds)
            session.says(CLIENT, b"some bytes")
            session.hangs_up(CLIENT)
            self.assertEqual(session.sent[SERVER], b"some bytes")
            return sum(head.startswith(b"OPTIONS") for head, _ in icap.requests)

        other = NOTHING.replace(b"CI0001-a", b"CI0002-a")
        asked = [ask(None), ask(None), ask(None, 3700), ask(other), ask(None)]
        self.assertEqual(asked, [1, 1, 2, 2, 3])

    def test_doubted(self) -> None:
        """
        A server that refuses a body is not left alone for that, as strangers choose bodies; but
        the next one asks first whether it is still there.
        """
        icap, known = Icap(b"ICAP/1.0 400 Bad request\r\n\r\n"), Known(SETTINGS)
        for _ in range(2):
            tools = FakeTools(icap)
            session = FakeSession(
                IcapInspector, SETTINGS, shared=known, envelope=DOWNLOAD, tools=tools
            ).start()
            session.says(CLIENT, b"some bytes")
            session.hangs_up(CLIENT)
            self.assertEqual(session.sent[SERVER], b"")
            self.assertTrue(tools.lines[0].worked)
        self.assertEqual(sum(head.startswith(b"OPTIONS") for head, _ in icap.requests), 2)
        silent = scan(b"some bytes", lambda line, data: line.ends())
        self.assertFalse(silent.tools.lines[0].worked)

    def test_another_one_at_once(self) -> None:
        """When another service answers, bodies that it judges at the same time are judged too."""
        known, waiting = Known(SETTINGS), []

        class Slow(Icap):
            def _judge(self, line: FakeLine) -> None:
                waiting.append(line)

        sessions = []
        for _ in range(2):
            tools = FakeTools(Slow(options=OPTIONS.replace(b"Preview: 10\r\n", b"")))
            session = FakeSession(
                IcapInspector, SETTINGS, shared=known, envelope=DOWNLOAD, tools=tools
            ).start()
            session.says(CLIENT, b"some bytes")
            session.hangs_up(CLIENT)
            sessions.append(session)
        for line in waiting:
            line.says(NOTHING.replace(b"CI0001-a", b"CI0002-a"))
        self.assertEqual([session.sent[SERVER] for session in sessions], [b"some bytes"] * 2)

    def test_gap(self) -> None:
        """A service that wants the rest before it has the preview has not seen what is between."""
        session = scan(b"x" * 200_000, Hasty())
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(self.found(session), "failed")

    def test_early(self) -> None:
        """A service that answers before it has all of a body gets no more, nor the next body."""
        large = b"x" * 1_000_000
        session = scan(large, Early())
        self.assertLess(len(session.tools.lines[0].sent), 300_000)
        self.assertEqual(self.found(session), ["Test.Virus"])
        self.assertEqual(session.tools.lines[0].dropped, "")

    def test_streaming(self) -> None:
        """One that gives back a body while it comes still gets all of it."""
        large = bytes(range(256)) * 4000
        session = scan(large, Streaming())
        self.assertEqual(session.sent[SERVER], large)
        self.assertTrue(session.tools.lines[0].kept)

    def test_left_over(self) -> None:
        """Nobody goes on where a server has said more than it was asked."""
        session = scan(b"some bytes", Icap(NOTHING + NOTHING))
        self.assertEqual(session.sent[SERVER], b"some bytes")
        self.assertEqual(session.tools.lines[0].dropped, "")

    def test_hangs(self) -> None:
        """It is waited for as long as the policy says."""
        session = scan(b"some bytes", Icap(b""), scan_seconds=5)
        session.advance(6)
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertEqual(session.tools.lines[0].dropped, "no answer in time")

    def test_service(self) -> None:
        """What is no path can't get into a request."""
        self.assertEqual(read_service("/av/respmod?x=y"), "av/respmod?x=y")
        for wrong in ("", "a b", "a\r\nX: y"):
            self.assertRaises(ValueError, read_service, wrong)


class Hasty(Icap):
    """Wants the rest when it has seen the beginning of a preview, and finds nothing in it."""

    def __call__(self, line: FakeLine, data: bytes) -> None:
        if data.startswith(b"OPTIONS"):
            line.says(OPTIONS.replace(b"Preview: 10", b"Preview: 150000"))
        elif data.startswith(b"RESPMOD"):
            line.says(CONTINUE)
        elif data.endswith(b"\r\n0\r\n\r\n") or data == b"0\r\n\r\n":
            line.says(NOTHING)


class Streaming(Icap):
    """Gives back what comes, as it comes."""

    def __call__(self, line: FakeLine, data: bytes) -> None:
        if data.startswith(b"OPTIONS"):
            line.says(OPTIONS.replace(b"Preview: 10\r\n", b""))
        elif data.startswith(b"RESPMOD"):
            answer = b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=%d\r\n\r\n%b"
            head, _, rest = data.partition(b"\r\n\r\n")
            size = int(head.rpartition(b"res-body=")[2])
            line.says(answer % (len(HEAD), HEAD) + rest[size:])
        else:
            line.says(data)


class Early(Icap):
    """Answers at once, whatever it is sent, and reads on."""

    def __call__(self, line: FakeLine, data: bytes) -> None:
        if data.startswith(b"OPTIONS"):
            line.says(OPTIONS.replace(b"Preview: 10\r\n", b""))
        elif data.startswith(b"RESPMOD"):
            line.says(FOUND)


def heard(*pieces: bytes) -> Heard:
    """What was said, in these pieces, and then the end."""
    line = FakeLine()
    read = Heard(line)
    for piece in pieces:
        line.says(piece)
    line.ends()
    return read


async def understood(read: Heard) -> tuple[Head, Any, bytes]:
    """A whole answer."""
    head = await read_head(read)
    message, body = await read_message(read, head), b""
    if head.has_body:
        encapsulated = body_of(read, 1000)
        while piece := await encapsulated.piece():
            body += piece
    return head, message, body


class AnswerTests(SynchronousTestCase):
    """However an answer comes."""

    def read(self, *pieces: bytes) -> tuple[int, int, bytes]:
        """Status of the answer and of what is in it, and the body."""
        head, message, body = self.successResultOf(
            Deferred.fromCoroutine(understood(heard(*pieces)))
        )
        return head.status, 0 if message is None else message.status, body

    def test_cut(self) -> None:
        """However it is cut, it is the same."""
        for pieces in every_split(FOUND):
            self.assertEqual(self.read(*pieces), (200, 403, b"page\n"))

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.integers(0, 200))
    def test_rubbish(self, rubbish: bytes, at: int) -> None:
        """Whatever it sends, it is an answer or the scanner's fault."""
        mixed = FOUND[:at] + rubbish + FOUND[at:]
        found = Deferred.fromCoroutine(_tried(mixed))
        self.assertIn(self.successResultOf(found), ("fault", "answer"))

    def test_options(self) -> None:
        """What a service says of itself."""
        head = self.successResultOf(Deferred.fromCoroutine(read_head(heard(OPTIONS))))
        said = options(head, 1000.0)
        self.assertEqual(said.methods, {"REQMOD", "RESPMOD"})
        self.assertEqual((said.preview, said.until, said.connections), (10, 4600.0, 0))
        bare = re.sub(rb"Options-TTL: 3600\r\n|Preview: 10\r\n", b"", OPTIONS)
        head = self.successResultOf(Deferred.fromCoroutine(read_head(heard(bare))))
        self.assertIsNone(options(head, 0).preview)


async def _tried(said: bytes) -> str:
    try:
        await understood(heard(said))
    except (ScannerFault, Denied):
        return "fault"
    return "answer"


class IcapSuite(InspectorSuite, SynchronousTestCase):
    """The generic promises, where there is no scanner, and the policy lets pass."""

    inspector = IcapInspector
    conversations = (
        Conversation(
            "passed unseen",
            ((CLIENT, b"some bytes"), (CLIENT, END), (SERVER, END)),
            settings=evolve(SETTINGS, on_error="pass", memory_bytes=1000),
        ),
    )

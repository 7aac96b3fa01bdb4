"""Bodies that are held until a scanner has judged them."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import Envelope
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.scanning.spool import Spools
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from gateway.testing.tools import FakeTools
from protocols.scanners.clamd.inspector import ClamdInspector, ClamdSettings
from tests.protocols.scanners.clamd import VIRUS, Clamd

SETTINGS = ClamdSettings()
DOWNLOAD = Envelope(protocol="http", direction="download", filename="file.bin")


def scan(
    *pieces: bytes,
    answer: Callable[..., None] | None = None,
    spools: Spools | None = None,
    **how: Any,
) -> FakeSession:
    """A body, on its way through clamd."""
    envelope = how.pop("envelope", DOWNLOAD)
    tools = FakeTools(answer)
    if spools is not None:
        tools.room = spools
    session = FakeSession(
        ClamdInspector, evolve(SETTINGS, **how), envelope=envelope, tools=tools
    ).start()
    for piece in pieces:
        session.says(CLIENT, piece)
    return session


class ClamdTests(SynchronousTestCase):
    """What passes, what does not, and what is recorded of it."""

    def record(self, session: FakeSession) -> dict[str, Any]:
        """The one record that there must be."""
        records = session.records_of("fileinfo")
        self.assertEqual(len(records), 1, records)
        return records[0]

    def test_clean(self) -> None:
        """A clean body passes whole, once all of it was judged, and not before."""
        clamd = Clamd()
        session = scan(b"some ", b"bytes", answer=clamd)
        self.assertEqual(session.sent[SERVER], b"")
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"some bytes")
        self.assertEqual(session.halves, {SERVER})
        self.assertEqual(clamd.bodies, [b"some bytes"])
        record = self.record(session)
        self.assertEqual(
            (record["verdict"], record["size"], record["state"]), ("passed", 10, "CLOSED")
        )
        self.assertEqual(record["sha256"], sha256(b"some bytes").hexdigest())
        self.assertEqual(record["scan"]["result"], "clean")
        self.assertEqual(record["scan"]["scanner"], "ClamAV 1.4.6/27456/Sun Nov 29 08:30:04 2026")
        self.assertTrue(session.tools.lines[0].kept)
        self.assertEqual(session.tools.verdicts, ["clean"])

    def test_found(self) -> None:
        """Of an infected one not a byte passes; the record, and an alert, say what it was."""
        session = scan(b"begin ", VIRUS, answer=Clamd(), words="It has a virus: $found")
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(session.sent[CLIENT], b"It has a virus: Test.Virus")
        assert session.verdict is not None
        self.assertEqual(session.verdict.reason, "found: Test.Virus")
        self.assertEqual(self.record(session)["scan"]["found"], ["Test.Virus"])
        [alert] = session.records_of("alert")
        self.assertEqual((alert["signature"], alert["action"]), ("Test.Virus", "blocked"))
        self.assertTrue(session.tools.lines[0].kept)

    def test_empty(self) -> None:
        """An empty body is asked about too: what becomes of it is nobody's guess."""
        session = scan(answer=Clamd())
        session.hangs_up(CLIENT)
        self.assertEqual(session.halves, {SERVER})
        self.assertEqual(self.record(session)["size"], 0)

    def test_no_scanner(self) -> None:
        """If there is none, it is as the policy says."""
        outcomes = {}
        for on_error in ("refuse", "pass", "defer"):
            session = scan(VIRUS, on_error=on_error)
            session.hangs_up(CLIENT)
            outcomes[on_error] = (session.verdict and session.verdict.outcome, session.sent[SERVER])
            self.assertEqual(self.record(session)["scan"]["result"], "failed")
        self.assertEqual(
            outcomes,
            {
                "refuse": (Outcome.DENIED, b""),
                "pass": (Outcome.PASSED, VIRUS),
                "defer": (Outcome.FAILED, b""),
            },
        )

    def test_rubbish(self) -> None:
        """Whatever it answers but a verdict: nothing passes, and it is the scanner's fault."""
        for says in (
            b"",
            b"%d: stream: O",
            b"%d: stream: OK",
            b"%d: stream: \0",
            b"77: stream: OK\0",
            b"stream: OK\0",
            b"COMMAND READ TIMED OUT\n",
            b"%d: stream: Can't allocate memory ERROR\0",
            b"\xff" * 5000,
            b"%d: PONG\0",
        ):
            session = scan(b"body", answer=Clamd(says, closes=True))
            session.hangs_up(CLIENT)
            self.assertEqual(session.sent[SERVER], b"", says)
            self.assertEqual(self.record(session)["denied_by"], "on_error")
            self.assertNotIn(session.tools.lines[0].dropped, (None, ""))

    def test_error(self) -> None:
        """
        What it says of a body that it can't scan is no reason to leave it alone: it has said who
        it is before. A daemon that says nothing at all has not.
        """
        session = scan(b"bomb", answer=Clamd(b"%d: stream: Can't allocate memory ERROR\0"))
        session.hangs_up(CLIENT)
        self.assertTrue(session.tools.lines[0].worked)
        session = scan(b"body", answer=lambda line, data: line.ends())
        session.hangs_up(CLIENT)
        self.assertFalse(session.tools.lines[0].worked)

    def test_too_long_for_it(self) -> None:
        """A body that the scanner finds too long does not pass; but that is not its fault."""
        says = b"%d: INSTREAM size limit exceeded. ERROR\0"
        session = scan(b"body", answer=Clamd(says, closes=True))
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(self.record(session)["denied_by"], "on_error")
        self.assertEqual([line.dropped for line in session.tools.lines], [""])

    def test_hangs(self) -> None:
        """A scanner that says nothing is waited for as long as the policy says."""
        session = scan(b"body", answer=Clamd(b""), scan_seconds=5)
        session.hangs_up(CLIENT)
        self.assertEqual(session.paused, {CLIENT})
        session.advance(6)
        assert session.verdict is not None
        self.assertIn("no verdict within 5 seconds", session.verdict.reason)
        self.assertEqual(session.tools.lines[0].dropped, "no answer in time")
        self.record(session)

    def test_left(self) -> None:
        """If the client goes away meanwhile, the scanner is left alone, and nothing stays."""
        session = scan(b"body", answer=Clamd(b""))
        session.hangs_up(CLIENT)
        session.over()
        self.assertEqual(session.tools.lines[0].dropped, "")
        self.assertEqual(self.record(session)["scan"]["result"], "cut-off")
        self.assertEqual(session.tools.room.in_memory, 0)

    def test_two(self) -> None:
        """If the first scanner fails, the second one is asked, with the whole body."""
        bodies: list[bytes] = []

        def answer(line: Any, data: bytes) -> None:
            clamds[line.address](line, data)

        clamds = {"/1": Clamd(b"rubbish\0"), "/2": Clamd()}
        session = scan(b"x" * 200_000, answer=answer, servers=("/1", "/2"))
        session.hangs_up(CLIENT)
        bodies = clamds["/2"].bodies
        self.assertEqual((len(bodies), len(bodies[0])), (1, 200_000))
        self.assertEqual(self.record(session)["scan"]["address"], "/2")
        self.assertEqual(len(session.sent[SERVER]), 200_000)

    # Larger ones

    def test_larger_refused(self) -> None:
        """A body that is too large is refused: at once, if that is said before."""
        session = scan(b"x" * 60, b"x" * 41, answer=Clamd(), body_bytes=100)
        assert session.verdict is not None
        self.assertIn("more than 100 bytes", session.verdict.reason)
        self.assertEqual(self.record(session)["denied_by"], "body_bytes")
        said = Envelope(size=101)
        self.assertIsNotNone(scan(answer=Clamd(), body_bytes=100, envelope=said).verdict)
        session = scan(b"x" * 100, answer=Clamd(), body_bytes=100, envelope=Envelope(size=100))
        session.hangs_up(CLIENT)
        self.assertEqual(len(session.sent[SERVER]), 100)

    def test_larger_passed(self) -> None:
        """Or it passes unseen, as it comes."""
        session = scan(b"x" * 60, VIRUS * 3, b"more", answer=Clamd(), body_bytes=100, larger="pass")
        session.says(CLIENT, b"yet")
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"x" * 60 + VIRUS * 3 + b"moreyet")
        self.assertEqual(session.tools.lines, [])
        self.assertEqual(self.record(session)["scan"]["result"], "too-large")

    def test_larger_beginning(self) -> None:
        """Or it is judged by its beginning, and the rest is held no more."""
        clamd = Clamd()
        how: dict[str, Any] = {"body_bytes": 100, "larger": "scan-beginning", "answer": clamd}
        session = scan(b"x" * 60, b"y" * 60, b"z" * 60, **how)
        self.assertEqual(clamd.bodies, [b"x" * 60 + b"y" * 40])
        self.assertEqual(session.sent[SERVER], b"x" * 60 + b"y" * 60 + b"z" * 60)
        self.assertEqual(session.tools.room.in_memory, 0)
        self.assertTrue(self.record(session)["scan"]["beginning_only"])
        session = scan(b"x" * 60 + VIRUS, b"z" * 60, **how)
        self.assertEqual(session.sent[SERVER], b"")

    def test_no_room(self) -> None:
        """A spool that is full is as good as no scanner."""
        session = scan(b"x" * 60, b"x" * 60, answer=Clamd(), spools=Spools("", 100, 0))
        assert session.verdict is not None
        self.assertIn("not scanned: spooled bodies", session.verdict.reason)
        self.record(session)
        how: dict[str, Any] = {"answer": Clamd(), "on_error": "pass"}
        session = scan(b"x" * 60, b"y" * 60, b"z", spools=Spools("", 100, 0), **how)
        self.assertEqual(session.sent[SERVER], b"x" * 60 + b"y" * 60 + b"z")

    # Trickles

    def test_trickle(self) -> None:
        """Who waits for a download gets a little, but never the second half, unjudged."""
        session = scan(b"x" * 100, answer=Clamd(), trickle_bytes=20, trickle_seconds=1)
        session.advance(2.5)
        self.assertEqual(session.sent[SERVER], b"x" * 40)
        session.advance(20)
        self.assertEqual(session.sent[SERVER], b"x" * 50)
        session.says(CLIENT, b"y" * 50)
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"x" * 100 + b"y" * 50)

    def test_trickle_refused(self) -> None:
        """If it is refused then, the record says how much of it is out there."""
        session = scan(b"x" * 100, VIRUS, answer=Clamd(), trickle_bytes=20, trickle_seconds=1)
        session.advance(1.5)
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"x" * 20)
        self.assertEqual(self.record(session)["scan"]["delivered"], 20)

    def test_no_trickle(self) -> None:
        """Servers get nothing of what was not judged."""
        session = scan(
            b"x" * 100, answer=Clamd(), envelope=Envelope(), trickle_bytes=20, trickle_seconds=1
        )
        session.advance(10)
        self.assertEqual(session.sent[SERVER], b"")

    def test_slow_receiver(self) -> None:
        """What has passed leaves as fast as it is taken."""
        session = scan(b"x" * 200_000, answer=Clamd())
        session.slow.add(SERVER)
        session.hangs_up(CLIENT)
        self.assertEqual(len(session.sent[SERVER]), 65536)
        while SERVER not in session.halves:
            session.flush(SERVER)
        self.assertEqual(len(session.sent[SERVER]), 200_000)


class ClamdSuite(InspectorSuite, SynchronousTestCase):
    """The generic promises, where there is no scanner, and the policy lets pass."""

    inspector = ClamdInspector
    conversations = (
        Conversation(
            "passed unseen",
            ((CLIENT, b"some bytes"), (CLIENT, END), (SERVER, END)),
            settings=evolve(SETTINGS, on_error="pass", memory_bytes=1000),
        ),
    )

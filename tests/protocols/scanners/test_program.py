"""Bodies that a program judges: what it is told, and what its end means."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import Envelope, FtpEnvelope, HttpEnvelope, SmtpEnvelope
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from gateway.testing.tools import FakeTools
from gateway.tools import Ran
from protocols.scanners.program.environment import LONGEST
from protocols.scanners.program.inspector import ProgramInspector, ProgramSettings, read_command

SETTINGS = ProgramSettings(command=("/opt/scan", "-q"))


def scan(ran: Ran | None, envelope: Envelope = Envelope("http"), **how: Any) -> FakeSession:  # noqa: B008
    """A body, judged."""
    session = FakeSession(
        ProgramInspector, evolve(SETTINGS, **how), envelope=envelope, tools=FakeTools(ran=ran)
    ).start()
    session.says(CLIENT, b"some bytes")
    session.hangs_up(CLIENT)
    return session


class ProgramTests(SynchronousTestCase):
    """One body."""

    def record(self, session: FakeSession) -> dict[str, Any]:
        """Of it."""
        (record,) = session.records_of("fileinfo")
        return record

    def test_clean(self) -> None:
        """It ends with 0: the body passes, whatever it said."""
        session = scan(Ran(0, b"fine\n", b""))
        self.assertEqual(session.sent[SERVER], b"some bytes")
        ((run, body),) = session.tools.runs
        self.assertEqual((run.command, body), (("/opt/scan", "-q"), b"some bytes"))
        self.assertEqual((run.at_once, run.seconds, run.memory), (4, 60, 1 << 30))
        self.assertEqual(self.record(session)["scan"]["scanner"], "scan")

    def test_found(self) -> None:
        """With 1: each line that it said is a name, and nothing passes."""
        for said, names in (
            (b"A.Virus\n\n  Another \n", ["A.Virus", "Another"]),
            (b"", ["something without a name"]),
            (b"\xff" * 300, ["\ufffd" * 200]),
            (b"x\n" * 30, ["x"] * 20),
        ):
            session = scan(Ran(1, said, b""))
            self.assertEqual(session.sent[SERVER], b"")
            self.assertEqual(self.record(session)["scan"]["found"], names)

    def test_failed(self) -> None:
        """With anything else: it could not say; its first complaint is in the record."""
        for ran, why in (
            (Ran(2, b"", b"no database\nmore"), "the program ended with status 2: no database"),
            (Ran(127, b"", b""), "the program ended with status 127"),
            (Ran(None, b"x", b""), "the program was killed"),
        ):
            session = scan(ran)
            self.assertEqual(session.sent[SERVER], b"")
            self.assertEqual(self.record(session)["reason"], f"not scanned: {why}")

    def test_hangs(self) -> None:
        """It is waited for as long as the policy says."""
        session = scan(None, scan_seconds=5, on_error="defer")
        session.advance(6)
        assert session.verdict is not None
        self.assertIs(session.verdict.outcome, Outcome.FAILED)

    def test_told(self) -> None:
        """What the body belongs to is in its environment: bounded, and without what ends it."""
        http = HttpEnvelope("GET", "http://a/b", status=200)
        for envelope, told in (
            (
                Envelope("http", "download", "ü", "b", "a/b", http=http),
                {
                    "TPROXYGW_USER": "ü",
                    "TPROXYGW_FILENAME": "b",
                    "TPROXYGW_DIRECTION": "download",
                    "TPROXYGW_URL": "http://a/b",
                    "TPROXYGW_STATUS": "200",
                },
            ),
            (
                Envelope("ftp", ftp=FtpEnvelope("STOR", "x\0y")),
                {"TPROXYGW_COMMAND": "STOR", "TPROXYGW_PATH": "x"},
            ),
            (
                Envelope("smtp", smtp=SmtpEnvelope("h", "", ("a@b", "c@d"))),
                {"TPROXYGW_HELO": "h", "TPROXYGW_RECIPIENTS": "a@b c@d"},
            ),
            (Envelope("x", filename="y" * 5000), {"TPROXYGW_FILENAME": "y" * LONGEST}),
        ):
            session = scan(Ran(0, b"", b""), envelope)
            environment = session.tools.runs[0][0].environment
            self.assertEqual(environment | told, environment)
            self.assertNotIn("TPROXYGW_SENDER", environment)
            self.assertEqual(environment["TPROXYGW_CLIENT"], session.client.host)

    def test_command(self) -> None:
        """A program is named by its absolute path."""
        self.assertRaises(ValueError, read_command, ())
        self.assertRaises(ValueError, read_command, ("scan",))


class ProgramSuite(InspectorSuite, SynchronousTestCase):
    """The generic promises, where the program fails, and the policy lets pass."""

    inspector = ProgramInspector
    conversations = (
        Conversation(
            "passed unseen",
            ((CLIENT, b"some bytes"), (CLIENT, END), (SERVER, END)),
            settings=evolve(SETTINGS, on_error="pass", body_bytes=4, larger="pass"),
        ),
    )

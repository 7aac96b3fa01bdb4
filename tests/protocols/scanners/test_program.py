"""Bodies that a program judges: what it is told, and what its end means."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import Envelope, FtpEnvelope, HttpEnvelope, SmtpEnvelope
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, FakeSession, InspectorSuite
from gateway.testing.tools import FakeLine, FakeTools
from gateway.tools import Ran
from protocols.scanners.fault import ScannerFault
from protocols.scanners.program.answer import read_answer
from protocols.scanners.program.environment import LONGEST
from protocols.scanners.program.inspector import ProgramInspector, ProgramSettings, read_command

SETTINGS = ProgramSettings(command=("/opt/scan", "-q"))


def scan(
    ran: Ran | None,
    envelope: Envelope = Envelope("http"),  # noqa: B008
    body: bytes = b"some bytes",
    **how: Any,
) -> FakeSession:
    """A body, judged."""
    session = FakeSession(
        ProgramInspector, evolve(SETTINGS, **how), envelope=envelope, tools=FakeTools(ran=ran)
    ).start()
    session.says(CLIENT, body)
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

    def test_json(self) -> None:
        """It may say more than that in a line of JSON, whichever status it has."""
        for status, said, reason, words in (
            (0, b'{"found": ["A", "B"]}\n', "found: A, B", b""),
            (1, b'{"found": ["A"], "scanner": "X 1"}', "found: A", b""),
            (0, b'{"refused": "too odd", "words": "No\\nthanks"}', "too odd", b"No thanks"),
            (1, b'{"words": "No"}', "found: something without a name", b"No"),
            (0, b'{"error": "no database"}', "not scanned: the program says: no database", b""),
        ):
            session = scan(Ran(status, said, b""))
            self.assertEqual(session.sent[SERVER], b"")
            record = self.record(session)
            self.assertEqual((record["reason"], session.sent[CLIENT]), (reason, words), said)
        session = scan(Ran(1, b'{"words": "250 2.0.0 Set aside as x"}', b""))
        # which would be no refusal to a client of mail
        self.assertEqual(session.sent[CLIENT], b"Refused: 250 2.0.0 Set aside as x")
        session = scan(Ran(0, b'{"scanner": "X\x001"}'.replace(b"\0", b"\\u0000"), b""))
        self.assertEqual(self.record(session)["scan"]["scanner"], "X\ufffd1")
        self.assertEqual(session.sent[SERVER], b"some bytes")

    def test_no_json(self) -> None:
        """What begins like that, and is none, lets nothing pass."""
        for said in (
            b"{",
            b"{}x",
            b'{"found": "A"}',
            b'{"found": [1]}',
            b'{"changed": 1}',
            b'{"fuond": []}',
            b'{"changed": true}',
            b'{"bytes": 3}\nabc',
            b'{"a":' * 10_000,
        ):
            for changes in (True, False):
                session = scan(Ran(0, said, b""), changes=changes)
                self.assertEqual(session.sent[SERVER], b"", said)
                self.assertEqual(self.record(session)["denied_by"], "on_error")

    def test_changed(self) -> None:
        """What follows the line passes in place of the body, if the policy allows that."""
        said = b'{"changed": true}\nother\nbytes'
        session = scan(Ran(0, said, b""), changes=True, memory_bytes=4)
        self.assertEqual(session.sent[SERVER], b"other\nbytes")
        self.assertTrue(self.record(session)["scan"]["changed"])
        session = scan(Ran(0, said, b""))
        self.assertEqual(session.sent[SERVER], b"")
        self.assertIn("changes = false", self.record(session)["reason"])
        session = scan(Ran(1, said, b""), changes=True)
        self.assertEqual(session.sent[SERVER], b"")
        for way, coding in ((gzip.decompress, "gzip"), (zlib.decompress, "deflate")):
            coded = Envelope("http", "download", coding=coding)
            body = (gzip if coding == "gzip" else zlib).compress(b"some bytes")
            session = scan(Ran(0, said, b""), coded, body=body, changes=True)
            self.assertEqual(way(session.sent[SERVER]), b"other\nbytes")
            self.assertEqual(session.tools.runs[0][1], b"some bytes")

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


class Stays:
    """
    A program that stays, as a test plays it.

    @ivar asked: what it was told, and the bodies.
    @ivar says: in place of an answer.
    """

    def __init__(
        self, says: bytes | None = None, greeting: bytes = b'{"scanner": "S 1"}\n'
    ) -> None:
        self.asked: list[tuple[dict[str, Any], bytes]] = []
        self.says = says
        self.greeting = greeting
        self._heard: dict[FakeLine, bytes] = {}

    def begins(self, line: FakeLine) -> None:
        line.says(self.greeting)

    def __call__(self, line: FakeLine, data: bytes) -> None:
        self._heard[line] = self._heard.get(line, b"") + data
        head, end, rest = self._heard[line].partition(b"\n")
        told = json.loads(head) if end else {"bytes": 1 << 40}
        if len(rest) >= told["bytes"]:
            self._heard[line] = b""
            self.asked.append((told, rest))
            found = b'{"found": ["A"]}\n' if b"VIRUS" in rest else b"{}\n"
            line.says(found if self.says is None else self.says)


class StaysTests(SynchronousTestCase):
    """C{stays = true}."""

    def scan(self, program: Stays, body: bytes = b"some bytes", **how: Any) -> FakeSession:
        tools = FakeTools(program)
        tools.begun = program.begins
        session = FakeSession(
            ProgramInspector,
            evolve(SETTINGS, stays=True, **how),
            envelope=Envelope("http", "download", filename="b"),
            tools=tools,
        ).start()
        session.says(CLIENT, body)
        session.hangs_up(CLIENT)
        return session

    def test_asked(self) -> None:
        """It is told of each body what one that is run has in its environment, and keeps on."""
        program = Stays()
        session = self.scan(program)
        self.assertEqual(session.sent[SERVER], b"some bytes")
        ((told, body),) = program.asked
        self.assertEqual(body, b"some bytes")
        self.assertEqual((told["bytes"], told["protocol"], told["filename"]), (10, "http", "b"))
        self.assertEqual(told["client"], session.client.host)
        line = session.tools.lines[0]
        self.assertTrue(line.worked and line.kept)
        (record,) = session.records_of("fileinfo")
        self.assertEqual(record["scan"]["scanner"], "S 1")
        session = self.scan(program, b"a VIRUS")
        self.assertEqual(session.sent[SERVER], b"")
        session = self.scan(program, b"")
        self.assertEqual(session.halves, {SERVER})

    def test_changed(self) -> None:
        """It says how long the body is that passes instead."""
        program = Stays(b'{"bytes": 11}\nother bytes')
        session = self.scan(program, changes=True)
        self.assertEqual(session.sent[SERVER], b"other bytes")
        self.assertTrue(session.tools.lines[0].kept)
        session = self.scan(program)
        self.assertEqual(session.sent[SERVER], b"")

    def test_renewed(self) -> None:
        """After so many bodies another one is started."""
        session = self.scan(Stays(), bodies=1)
        self.assertEqual(session.sent[SERVER], b"some bytes")
        self.assertEqual(session.tools.lines[0].dropped, "")

    def test_rubbish(self) -> None:
        """Whatever else it says: nothing passes, and it is not asked again."""
        for says in (
            b"\n",
            b"clean\n",
            b"[]\n",
            b'{"changed": true}\n',
            b'{"bytes": -1}\n',
            b'{"bytes": 99999999999}\n',
            b'{"error": "x"}\n',
            b"{}\n{}\n",
            b"x" * 70_000,
        ):
            session = self.scan(Stays(says), changes=True)
            if says == b"{}\n{}\n":  # an answer, and one too many
                self.assertEqual(session.sent[SERVER], b"some bytes")
            else:
                self.assertEqual(session.sent[SERVER], b"", says)
            self.assertTrue(all(line.dropped is not None for line in session.tools.lines), says)
            self.assertTrue(session.tools.lines[0].worked)

    def test_not_ready(self) -> None:
        """One that does not begin has failed, and no body is to blame."""
        for greeting in (b'{"error": "no rules"}\n', b"Hello\n"):
            session = self.scan(Stays(greeting=greeting))
            self.assertEqual(session.sent[SERVER], b"")
            line = session.tools.lines[0]
            self.assertFalse(line.worked)
            self.assertNotIn(line.dropped, (None, ""))

    def test_early(self) -> None:
        """One that answers before it has all of a body has judged something else."""

        def hasty(line: FakeLine, data: bytes) -> None:
            line.says(b"{}\n")

        program = Stays()
        tools = FakeTools(hasty)
        tools.begun = program.begins
        settings = evolve(SETTINGS, stays=True)
        session = FakeSession(ProgramInspector, settings, tools=tools).start()
        session.says(CLIENT, b"x" * 200_000)
        session.hangs_up(CLIENT)
        self.assertEqual(session.sent[SERVER], b"")

    @given(st.binary(max_size=300))
    def test_answers(self, line: bytes) -> None:
        """Whatever a line is, it is an answer, or the program's fault."""
        try:
            read_answer(line)
        except ScannerFault:
            pass


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

"""Mails that milters judge and change: what they are told, and what becomes of what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import Addressed, Envelope, Readdressed, SmtpEnvelope
from gateway.interfaces import CLIENT, SERVER, Denied
from gateway.policy.load import load
from gateway.policy.problem import PolicyError
from gateway.registry import find
from gateway.scanning.spool import Spools
from gateway.testing import END, Conversation, FakeSession, InspectorSuite, bytewise
from gateway.testing.tools import FakeLine, FakeTools
from protocols.scanners.fault import ScannerFault
from protocols.scanners.heard import Heard
from protocols.scanners.milter.inspector import MilterInspector, MilterSettings
from protocols.scanners.milter.message import message
from protocols.scanners.milter.numbers import Step
from protocols.scanners.milter.packet import read_packet
from tests.protocols.scanners.milter import CONTINUE, Milter, said

SETTINGS = MilterSettings(name="gw.example")
ENVELOPE = Envelope(
    protocol="smtp",
    user="alice",
    smtp=SmtpEnvelope("client.example", "alice@a.example", ("bob@b.example", "eve@b.example")),
)
MAIL = b"From: alice\r\nSubject:  two\r\n  folds\r\nX-A:b\r\nx-a: c\r\n\r\nbody\r\n"


def scan(
    mail: bytes, answer: Callable[..., None], envelope: Envelope = ENVELOPE, **how: Any
) -> FakeSession:
    """A mail, judged."""
    tools = FakeTools(answer, Spools("", 1 << 24, 1 << 24))
    session = FakeSession(
        MilterInspector, evolve(SETTINGS, **how), envelope=envelope, tools=tools
    ).start()
    session.says(CLIENT, mail)
    session.hangs_up(CLIENT)
    return session


NAMED = {
    "smtp": 'stack = "filters"',
    "pop3": 'stack = "filters"',
    "ftp": 'stack_upload = "filters"',
    "http.stack": 'response = "filters"',
}


class NamedTests(SynchronousTestCase):
    """Who may name a milter."""

    def problems(self, table: str) -> list[str]:
        folder = Path(self.mktemp())
        (folder / "services").mkdir(parents=True)
        inspector = table.partition(".")[0]
        text = f'inspector = "{inspector}"\n[[rule]]\n[{table}]\n{NAMED[table]}\n'
        folder.joinpath("gateway.toml").touch()
        folder.joinpath("services", "mail.toml").write_text(text)
        folder.joinpath("services", "filters.toml").write_text('inspector = "milter"\n')
        try:
            load(folder, find)
        except PolicyError as error:
            return [str(problem) for problem in error.problems if not problem.warning]
        return []

    def test_named(self) -> None:
        """Only SMTP knows an envelope; elsewhere it is a mistake, which is found at once."""
        self.assertEqual(self.problems("smtp"), [])
        for table in ("pop3", "ftp", "http.stack"):
            (problem,) = self.problems(table)
            self.assertTrue(problem.startswith("services/mail.toml:4:1: "), problem)
            self.assertIn('service "filters" ("milter") is for services of "smtp" only', problem)


class MilterTests(SynchronousTestCase):
    """One mail."""

    def result(self, session: FakeSession) -> str:
        """What the record says that came of it."""
        (record,) = session.records_of("fileinfo")
        result: str = record["scan"]["result"]
        return result

    def test_told(self) -> None:
        """A filter is told all that Postfix would tell it, in that order."""
        milter = Milter()
        session = scan(MAIL, milter)
        self.assertEqual(session.sent[SERVER], MAIL)
        host = session.client.host.encode()
        self.assertEqual(
            milter.told,
            [
                (b"O", pack(">III", 6, 0x1FF, 0x1FFFFF)),
                (b"C", b"[%b]\0004%b%b\0" % (host, pack(">H", session.client.port), host)),
                (b"H", b"client.example\0"),
                (b"M", b"<alice@a.example>\0"),
                (b"R", b"<bob@b.example>\0"),
                (b"R", b"<eve@b.example>\0"),
                (b"T", b""),
                (b"L", b"From\0alice\0"),
                (b"L", b"Subject\0two\n  folds\0"),
                (b"L", b"X-A\0b\0"),
                (b"L", b"x-a\0c\0"),
                (b"N", b""),
                (b"B", b"body\r\n"),
                (b"E", b""),
                (b"Q", b""),
            ],
        )
        macros = {
            command: dict(zip(*[iter(data.split(b"\0")[:-1])] * 2, strict=True))
            for command, data in milter.macros.items()
        }
        self.assertEqual(macros[b"C"][b"j"], b"gw.example")
        self.assertEqual(macros[b"M"][b"{auth_authen}"], b"alice")
        self.assertEqual(macros[b"R"][b"{rcpt_addr}"], b"eve@b.example")
        self.assertEqual(macros[b"E"][b"i"], macros[b"M"][b"i"])
        self.assertTrue(session.tools.lines[0].kept)
        self.assertEqual(self.result(session), "clean")

    def test_left_out(self) -> None:
        """What a filter does not want to hear is not told; where it is silent, nobody waits."""
        steps = Step.NOCONNECT | Step.NOHELO | Step.NORCPT | Step.NOBODY | Step.NOEOH | Step.NODATA
        milter = Milter(steps=steps)
        scan(MAIL, milter)
        self.assertEqual(milter.commands, b"OMLLLLEQ")
        silent = b"CHMRTLNB"
        steps = Step(0xFF080)
        milter = Milter(steps=steps, answers={bytes([each]): b"" for each in silent})
        self.assertEqual(scan(MAIL, milter).sent[SERVER], MAIL)
        self.assertEqual(milter.commands, b"OCHMRRTLLLLNBEQ")

    def test_spaced(self) -> None:
        """A filter that signs gets values as they are, with the white space before them."""
        milter = Milter(steps=Step.HDR_LEADSPC)
        scan(MAIL, milter)
        values = [data for command, data in milter.told if command == b"L"]
        self.assertEqual(values[:3], [b"From\0 alice\0", b"Subject\0  two\n  folds\0", b"X-A\0b\0"])

    def test_skip(self) -> None:
        """A filter that has seen enough of a body gets no more of it."""
        milter = Milter(answers={b"B": said(b"s")}, steps=Step.SKIP)
        session = scan(MAIL + b"x" * 300_000, milter)
        self.assertEqual(milter.commands.count(b"B"), 1)
        self.assertEqual(len(session.sent[SERVER]), len(MAIL) + 300_000)

    def test_accepted(self) -> None:
        """One that accepts hears no more; of one recipient, that says nothing of the others."""
        for step in (b"C", b"M", b"L", b"B"):
            milter = Milter(answers={step: said(b"a")})
            self.assertEqual(scan(MAIL, milter).sent[SERVER], MAIL)
            self.assertTrue(milter.commands.endswith(step + b"Q"))
        milter = Milter(answers={b"R": said(b"a")})
        scan(MAIL, milter)
        self.assertIn(b"RRT", milter.commands)
        self.assertEqual(scan(MAIL, Milter(said(b"p") * 3 + said(b"a"))).sent[SERVER], MAIL)

    def test_refused(self) -> None:
        """What a filter refuses is refused, in its own words if it has some."""
        for answer, reply in (
            (said(b"r"), b"550 5.7.1 Command rejected"),
            (said(b"t"), b"451 4.7.1 Service unavailable - try again later"),
            (said(b"y", b"554 5.7.1 Spam\0"), b"554 5.7.1 Spam"),
            (said(b"y", b"451 4.7.1 Greylisted\0"), b"451 4.7.1 Greylisted"),
            (said(b"d"), b"550 5.7.1 The message was refused"),
            (said(b"4"), b"421 4.7.0 Try again later"),
        ):
            for milter in (Milter(answer), Milter(answers={b"R": answer})):
                session = scan(MAIL, milter)
                self.assertEqual(session.sent[SERVER], b"")
                self.assertEqual(session.sent[CLIENT], reply + b"\r\n")
                self.assertEqual(self.result(session), "refused")
                self.assertTrue(session.tools.lines[0].kept)
        session = scan(MAIL, Milter(said(b"q", b"suspicious\0") + CONTINUE))
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(session.records_of("fileinfo")[0]["reason"], "set aside: suspicious")

    def test_set_aside(self) -> None:
        """
        With a folder for that, it is there, as the filter has made it, with its envelope; the
        client hears that it was taken, and the server gets nothing.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        change = said(b"h", b"X-Odd\0yes\0")
        milter = Milter(change + said(b"q", b"suspicious\0") + CONTINUE)
        session = scan(MAIL, milter, aside=str(folder))
        self.assertEqual(session.sent[SERVER], b"")
        (about, mail) = sorted(folder.iterdir(), reverse=False, key=lambda each: each.suffix)[::-1]
        self.assertEqual(mail.read_bytes(), MAIL.replace(b"c\r\n\r\n", b"c\r\nX-Odd: yes\r\n\r\n"))
        self.assertEqual((mail.suffix, mail.stat().st_mode & 0o777), (".eml", 0o600))
        told = json.loads(about.read_text())
        self.assertEqual((told["why"], told["sender"]), ("suspicious", "alice@a.example"))
        self.assertEqual(told["recipients"], ["bob@b.example", "eve@b.example"])
        self.assertEqual(session.sent[CLIENT], b"250 2.0.0 Set aside as " + mail.stem.encode())
        (record,) = session.records_of("fileinfo")
        self.assertEqual(record["scan"]["aside"], mail.stem)
        full = scan(MAIL, milter, aside=str(folder), aside_bytes=100, on_error="defer")
        gone = scan(MAIL, milter, aside="/nowhere")
        for session in (full, gone):
            self.assertEqual(session.sent[SERVER], b"")
            self.assertEqual(self.result(session), "failed")
        self.assertEqual(len(list(folder.iterdir())), 2)

    # Changes

    def changed(self, *changes: bytes, steps: int = 0) -> bytes:
        """What the mail becomes."""
        session = scan(MAIL, Milter(b"".join(changes) + CONTINUE, steps))
        self.assertTrue(session.records_of("fileinfo")[0]["scan"]["changed"])
        return session.sent[SERVER]

    def test_header(self) -> None:
        """Fields are added, put in, changed and deleted."""
        self.assertEqual(
            self.changed(said(b"h", b"X-New\0one\n\ttwo\0")),
            MAIL.replace(b"\r\n\r\n", b"\r\nX-New: one\r\n\ttwo\r\n\r\n"),
        )
        top = said(b"i", pack(">I", 0) + b"X-Top\0a\0")
        self.assertEqual(self.changed(top), b"X-Top: a\r\n" + MAIL)
        far = said(b"i", pack(">I", 99) + b"X-End\0a\0")
        self.assertIn(b"x-a: c\r\nX-End: a\r\n\r\n", self.changed(far))
        second = said(b"m", pack(">I", 2) + b"X-a\0new\0")
        self.assertEqual(self.changed(second), MAIL.replace(b"x-a: c", b"X-a: new"))
        gone = said(b"m", pack(">I", 1) + b"x-A\0\0")
        self.assertEqual(self.changed(gone), MAIL.replace(b"X-A:b\r\n", b""))
        beyond = said(b"m", pack(">I", 3) + b"X-a\0new\0")
        self.assertIn(b"x-a: c\r\nX-a: new\r\n\r\n", self.changed(beyond))
        spaced = self.changed(top, said(b"h", b"B\0  two\0"), steps=Step.HDR_LEADSPC)
        self.assertTrue(spaced.startswith(b"X-Top:a\r\n"))
        self.assertIn(b"\r\nB:  two\r\n\r\nbody", spaced)

    def test_body(self) -> None:
        """A new body comes in pieces."""
        new = self.changed(said(b"b", b"new "), said(b"b", b"body\r\n"))
        self.assertEqual(new, MAIL.replace(b"body\r\n", b"new body\r\n"))

    def test_nothing(self) -> None:
        """To change something back is no change."""
        add, drop = said(b"h", b"X-N\0a\0"), said(b"m", pack(">I", 1) + b"X-N\0\0")
        session = scan(MAIL, Milter(add + drop + CONTINUE))
        self.assertNotIn("changed", session.records_of("fileinfo")[0]["scan"])

    def test_in_a_row(self) -> None:
        """Each filter sees what the one before has made of it; the first that refuses ends it."""
        first, second = Milter(said(b"h", b"X-One\0a\0") + CONTINUE), Milter()

        def answer(line: Any, data: bytes) -> None:
            {"/1": first, "/2": second}[line.address](line, data)

        session = scan(MAIL, answer, milters=("/1", "/2"))
        self.assertIn((b"L", b"X-One\0a\0"), second.told)
        self.assertIn(b"X-One: a\r\n\r\n", session.sent[SERVER])
        self.assertEqual(session.tools.room.in_memory, 0)
        first.end, second.told = said(b"r"), []
        self.assertEqual(scan(MAIL, answer, milters=("/1", "/2")).sent[SERVER], b"")
        self.assertEqual(second.told, [])

    # Changes of the envelope

    def readdressed(self, *changes: bytes) -> Readdressed | None:
        """What the envelope becomes; of the mail, nothing changes."""
        session = scan(MAIL, Milter(b"".join(changes) + CONTINUE))
        self.assertEqual(session.sent[SERVER], MAIL)
        return session.readdressed

    def test_envelope(self) -> None:
        """Recipients come and go, and there is another sender."""
        eve = Addressed("eve@x.example")
        added = self.readdressed(said(b"+", b"<eve@x.example>\0"))
        self.assertEqual(added, Readdressed(added=(eve,)))
        plain = self.readdressed(said(b"+", b"eve@x.example\0"), said(b"e", b"<>\0"))
        self.assertEqual(plain, Readdressed(sender=Addressed(""), added=(eve,)))
        gone = self.readdressed(said(b"-", b"<BOB@b.example>\0"))
        self.assertEqual(gone, Readdressed(removed=("bob@b.example",)))
        sender = self.readdressed(said(b"e", b"<eve@x.example>\0RET=HDRS\0"))
        self.assertEqual(sender, Readdressed(sender=Addressed("eve@x.example", "RET=HDRS")))
        both = said(b"-", b"<bob@b.example>\0"), said(b"2", b"<bob@b.example>\0NOTIFY=NEVER\0")
        self.assertIsNone(self.readdressed(*both))
        again = said(b"2", b"<x@b.example>\0NOTIFY=NEVER\0"), said(b"-", b"<x@b.example>\0")
        self.assertIsNone(self.readdressed(*again))
        self.assertIsNone(self.readdressed(said(b"+", b"<eve@b.example>\0")))
        self.assertIsNone(self.readdressed(said(b"-", b"<nobody@b.example>\0")))

    def test_envelope_in_a_row(self) -> None:
        """The next filter is told of the mail as the one before has addressed it."""
        first, second = Milter(said(b"-", b"<eve@b.example>\0") + CONTINUE), Milter()

        def answer(line: Any, data: bytes) -> None:
            {"/1": first, "/2": second}[line.address](line, data)

        session = scan(MAIL, answer, milters=("/1", "/2"))
        told = [data for command, data in second.told if command == b"R"]
        self.assertEqual(told, [b"<bob@b.example>\0"])
        self.assertEqual(session.readdressed, Readdressed(removed=("eve@b.example",)))

    def test_nobody(self) -> None:
        """A mail that is left without recipients is refused: nobody is told that it was taken."""
        gone = said(b"-", b"<eve@b.example>\0") + said(b"-", b"<bob@b.example>\0")
        session = scan(MAIL, Milter(gone + CONTINUE))
        self.assertEqual(session.sent[SERVER], b"")
        self.assertEqual(session.sent[CLIENT], b"550 5.7.1 The message was refused\r\n")
        self.assertEqual(self.result(session), "refused")

    # What is no answer

    def test_rubbish(self) -> None:
        """Whatever else it says: nothing passes, and it is the filter's fault."""
        for end in (
            b"",
            b"\0\0\0\0",
            said(b"!"),
            said(b"O"),
            b"\xff\xff\xff\xff",
            said(b"h", b"X-A\0a\nb: c\0"),
            said(b"h", b"X-A\0a\n\n\0"),
            said(b"h", b"X-A\0a\rb\0"),
            said(b"h", b"X A\0a\0"),
            said(b"h", b"\0a\0"),
            said(b"h", b"X-A\0a"),
            said(b"m", b"\0"),
            said(b"i", b"\0\0"),
            said(b"y", b"250 Fine\0"),
            said(b"+", b"<eve@x.example>"),
            said(b"+", b"<>\0"),
            said(b"+", b"<eve@x.example>\r\nRSET\0"),
            said(b"+", b"<eve@x.example> NOTIFY=NEVER\r\nDATA\0"),
            said(b"2", b"<eve@x.example>\0NOTIFY=NEVER\0x\0"),
            said(b"2", b"<eve@x.example>\0BODY=7BIT\0"),
            said(b"-", b"nobody at all\0"),
            said(b"e", b"<eve@x.example>\0NOTIFY=NEVER\0"),
            said(b"e", b"<e\xffve@x.example>\0"),
            said(b"e", b"\0"),
            said(b"h", b"X-A\0a\0") * 1001,
            said(b"h", b"X-A\0%b\0" % (b"a" * 60_000)) * 18,
        ):
            session = scan(MAIL, Closing(end and end + CONTINUE))
            self.assertEqual(session.sent[SERVER], b"", end)
            self.assertEqual(self.result(session), "failed", end)
            self.assertNotIn(session.tools.lines[0].dropped, (None, ""), end)

    def test_large_body(self) -> None:
        """A new body has a bound."""
        milter = Milter(said(b"b", b"x" * 60_000) * 20 + CONTINUE)
        self.assertEqual(self.result(scan(MAIL, milter, body_bytes=100_000)), "failed")
        self.assertEqual(self.result(scan(MAIL, milter, body_bytes=200_000)), "clean")

    def test_small_pieces(self) -> None:
        """A new body may come in any number of pieces, and fields after it."""
        new = self.changed(said(b"b", b"x\r\n") * 1001, said(b"h", b"X-A\0a\0"))
        self.assertTrue(new.endswith(b"\r\nX-A: a\r\n\r\n" + b"x\r\n" * 1001))

    def test_version(self) -> None:
        """A filter of another age is told nothing."""
        for version in (1, 7):
            milter = Milter(version=version)
            self.assertEqual(self.result(scan(MAIL, milter)), "failed")
            self.assertEqual(milter.commands, b"OQ")

    def test_long_field(self) -> None:
        """A field that no filter would take is no reason to leave it out."""
        session = scan(b"X: " + b"y" * 65_600 + b"\r\n" + MAIL, Milter())
        self.assertEqual(self.result(session), "failed")
        self.assertEqual(session.tools.lines[0].dropped, "")  # nor one to leave the filter alone

    def test_no_mail(self) -> None:
        """What is no mail is nothing for them."""
        self.assertEqual(self.result(scan(MAIL, Milter(), Envelope("http"))), "failed")

    def test_nul(self) -> None:
        """What would end a string is not told."""
        session = scan(b"A: b\0c\r\n\r\n", Milter())
        self.assertEqual(self.result(session), "failed")
        self.assertEqual(session.tools.lines[0].dropped, "")


class Closing(Milter):
    """It closes after its last word."""

    def _step(self, line: FakeLine, command: bytes, data: bytes) -> None:
        super()._step(line, command, data)
        if command == b"E":
            line.ends()


class MessageTests(SynchronousTestCase):
    """Where fields end, and the body begins."""

    def test_parts(self) -> None:
        """A mail is its fields and its body, whatever it has of them."""
        for mail, names, body in (
            (MAIL, [b"From", b"Subject", b"X-A", b"x-a"], b"body\r\n"),
            (b"A: b\r\n", [b"A"], b""),
            (b"A: b\r\n\r\n", [b"A"], b""),
            (b"\r\nA: b\r\n", [], b"A: b\r\n"),
            (b"", [], b""),
            (b"A: b\r\nno field\r\n\r\nx", [b"A"], b"no field\r\n\r\nx"),
        ):
            spool = Spools("", 1 << 20, 0).open(1 << 20)
            spool.put(mail)
            found = message(spool)
            self.assertEqual([field.name for field in found.fields], names, mail)
            self.assertEqual(mail[found.body :], body)

    @settings(deadline=None)
    @given(st.lists(st.sampled_from([b"A: b\r\n", b" c\r\n", b"\r\n", b"x", b":", b"\t"])))
    def test_any(self, pieces: list[bytes]) -> None:
        """No byte of it gets lost."""
        mail = b"".join(pieces)
        spool = Spools("", 1 << 20, 0).open(1 << 20)
        spool.put(mail)
        found = message(spool)
        fields = b"".join(field.line for field in found.fields)
        self.assertTrue(mail.startswith(fields))
        self.assertIn(mail[len(fields) : found.body], (b"", b"\r\n"))


class PacketTests(SynchronousTestCase):
    """What filters send."""

    @settings(deadline=None)
    @given(st.binary(max_size=40))
    def test_rubbish(self, data: bytes) -> None:
        """It is a packet, or the scanner's fault; however it is cut."""
        found = []
        for pieces in ([data], bytewise(data)):
            line = FakeLine()
            read = Heard(line)
            for piece in pieces:
                line.says(piece)
            line.ends()
            found.append(self.successResultOf(Deferred.fromCoroutine(_tried(read))))
        self.assertEqual(found[0], found[1])


async def _tried(read: Heard) -> Any:
    try:
        return await read_packet(read)
    except (ScannerFault, Denied) as fault:
        assert isinstance(fault, ScannerFault)
        return None


class MilterSuite(InspectorSuite, SynchronousTestCase):
    """The generic promises, where there is no filter, and the policy lets pass."""

    inspector = MilterInspector
    conversations = (
        Conversation(
            "passed unseen",
            ((CLIENT, b"some bytes"), (CLIENT, END), (SERVER, END)),
            settings=evolve(SETTINGS, on_error="pass", memory_bytes=1000),
        ),
    )

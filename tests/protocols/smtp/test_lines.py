"""One message in, one message out, whatever somebody takes for its end."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import FakeSession, every_split
from protocols.mime.dotted import Dotted
from protocols.mime.lines import Rules, Whole, stuffed
from protocols.mime.unfit import Unfit
from protocols.smtp.rules import AttachmentRule, HeaderRule
from protocols.smtp.settings import SMTPSettings
from tests.protocols.smtp.conversations import DATA, OK, TAKEN, said, talk
from tests.protocols.smtp.receiver import LenientReceiver, strict_end

REPAIR = SMTPSettings(bare_newline="repair")
DENY = SMTPSettings(bare_newline="deny")

NEWLINES = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0\r\n", b"\n\0", b"\r\0\n")

# The SEC Consult cases of December 2023 and what was found since, by their ends of data: each of
# these in front of the dot and each behind it, the dot with company included.
VARIANTS = [
    before + dot + after
    for before, dot, after in product(NEWLINES, (b".", b"..", b".\0", b"\0.", b". "), NEWLINES)
]

SMUGGLED = b"MAIL FROM:<admin@b.example>\r\nRCPT TO:<c@b.example>\r\nDATA\r\nevil\r\n.\r\n"


def sent(data: bytes, settings: SMTPSettings) -> FakeSession:
    """A message and what follows it, at a server that agrees to everything."""
    session = talk([*DATA, (CLIENT, data)], settings)
    while session.verdict is None and CLIENT in session.paused:
        last = session.sent[SERVER].rsplit(b"\r\n", 2)[1]
        reply = {b".": TAKEN, b"DATA": b"354 Go\r\n", b"QUIT": b"221 Bye\r\n"}.get(last, OK)
        said(session, [(SERVER, reply)])
    return session


pieces = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b".\r\n", b"\0", b"a", b" ", b"QUIT"])
)


class SmugglingTests(SynchronousTestCase):
    """Published techniques, and all that are like them."""

    def test_variants(self) -> None:
        """What looks like an end of data is none; a second message never comes out of it."""
        self.assertGreater(len(VARIANTS), 400)
        for variant in VARIANTS:
            if strict_end(b"Hello" + variant) >= 0:
                continue  # by the letter, the message ends here
            for mode in (REPAIR, DENY):
                self.judge(b"Hello" + variant + SMUGGLED, mode)

    def test_at_the_beginning(self) -> None:
        """Neither does a message that begins with one."""
        for variant in (b"\n.\r\n", b".\n", b".\r", b".\r\r\n", b"\r.\r\n", b"\0.\r\n", b".\0\r\n"):
            for mode in (REPAIR, DENY):
                self.judge(variant + SMUGGLED, mode)

    def judge(self, data: bytes, mode: SMTPSettings) -> None:
        """C{data} is one message by the letter, and one at most for the receiver."""
        session = sent(data, mode)
        received = LenientReceiver().take(session.sent[SERVER])
        self.assertEqual(received.commands.count(b"MAIL"), 1, data)
        if mode is REPAIR:
            self.assertIsNone(session.verdict, data)
            self.assertEqual(len(received.messages), 1, data)
            self.assertIn(b"MAIL FROM:<admin@b.example>", received.messages[0], data)
        elif session.verdict is not None:
            self.assertEqual(received.messages, [], data)
            self.assertIn(b"\r\n550 5.6.11 ", session.sent[CLIENT], data)

    def test_strict_end(self) -> None:
        """What ends a message by the letter does: its sender may send a second one."""
        session = sent(b"a\r\n.\r\n" + SMUGGLED, DENY)
        received = LenientReceiver().take(session.sent[SERVER])
        self.assertEqual(received.messages, [[b"a"], [b"evil"]])

    @settings(max_examples=300, deadline=None)
    @given(pieces)
    @example([b"\r", b"\r\n", b".", b"\r\n"])
    def test_any(self, pieces: list[bytes]) -> None:
        """As many messages as by the letter, at any receiver, for any bytes."""
        data = b"".join(pieces)
        stream = data + b"\r\n.\r\n"
        end = strict_end(stream)
        for mode in (REPAIR, DENY):
            session = talk([*DATA, (CLIENT, stream[: end + 3])], mode)
            received = LenientReceiver().take(session.sent[SERVER])
            if session.verdict is None:
                self.assertEqual(len(received.messages), 1)
                self.assertTrue(session.sent[SERVER].endswith(b"\r\n.\r\n"))
            else:
                self.assertIs(mode, DENY)
                self.assertEqual(received.messages, [])

    def test_commands(self) -> None:
        """Commands, too, end in CRLF only, and a reply is one, whatever it has in it."""
        for end in (b"\n", b"\r", b"\r\r\n", b"\n\r\n"):
            session = talk([*DATA[:3], (CLIENT, b"NOOP" + end + b"RSET\r\n")])
            self.assertIs(session.verdict.outcome, Outcome.DENIED, end)
            self.assertNotIn(b"NOOP", session.sent[SERVER])
            reply = b"250 a" + end + b"250 b\r\n"
            session = talk([*DATA[:3], (CLIENT, b"NOOP\r\n"), (SERVER, reply)])
            self.assertNotIn(b"\n250 b", session.sent[CLIENT].replace(b"\r", b"\n"))


class Plodder:
    """
    What follows DATA, read as slowly and simply as can be: one byte, one line
    at a time. L{Dotted} takes big pieces, and has to come to the same.
    """

    def __init__(self, repair: bool, limit: int) -> None:
        self.repair = repair
        self.limit = limit
        self.lines: list[bytes] = []
        self.ended = False
        self.refused = False
        self.rest = b""

    def read(self, data: bytes) -> Plodder:
        line, clean = b"", True
        for at in range(len(data)):
            byte = data[at : at + 1]
            if byte != b"\n":
                line += byte
                self.refused = self.refused or len(line) > self.limit + 1
                continue
            if clean and line == b".\r":
                self.ended, self.rest = True, data[at + 1 :]
                return self
            text = line.removeprefix(b".") if clean else line
            clean = line.endswith(b"\r")
            text = text[:-1] if clean else text
            wrong = not clean or b"\r" in text or b"\0" in text
            self.refused = self.refused or (wrong and not self.repair)
            self.lines.append(text.replace(b"\r", b"\r\n").replace(b"\0", b"") + b"\r\n")
            line = b""
        return self


class Taker(StreamInspector):
    """Takes one message and gives it back; what it can't take, to the last byte, it refuses."""

    rules = Rules(True, 998)

    async def from_client(self, read: Reader) -> None:
        source = Dotted(read, self.rules, waits=lambda setting: None, speaks_on=True)
        try:
            while block := await source.block():
                self.session.send(SERVER, block)
        except Unfit:
            self.session.record("refused", ended=await source.skip(100000))
        else:
            self.session.record("taken")
        self.session.record("rest", data=read.rest())


class PlodderTests(SynchronousTestCase):
    """Big pieces, and the strictness of somebody who looks at every byte."""

    pieces = st.lists(
        st.sampled_from(
            [
                *(b"\r", b"\n", b".", b"\r\n", b"\r\n.", b".\r\n", b"\r\n.\r\n", b"\0", b"a"),
                *(b"\r\n..", b"x" * 6, b"abc\r\ndef\r\n"),
            ]
        ),
        max_size=14,
    )

    @settings(max_examples=1500, deadline=None)
    @given(pieces, st.integers(1, 40), st.booleans())
    @example([b"x" * 6, b"\r", b"\n", b".\r\n"], 1, False)
    @example([b"x" * 6, b"x" * 6, b"\r", b"\r\n.\r\n"], 1, False)
    @example([b"x" * 6, b"a", b"a", b".\r\n"], 3, True)
    @example([b"x" * 6, b"a", b"a", b".\r\n"], 40, False)
    def test_same(self, pieces: list[bytes], step: int, repair: bool) -> None:
        """The same lines, the same refusals, the same end, however it is cut."""
        data = b"".join(pieces) + b"end\r\n.\r\nNOOP\r\n"
        plodder = Plodder(repair, 8).read(data)

        class Small(Taker):
            rules = Rules(repair, 8)

        session = FakeSession(Small).start()
        for at in range(0, len(data), step):
            if session.verdict is None:
                session.says(CLIENT, data[at : at + step])
        events = dict(session.recorded)
        self.assertEqual("refused" in events, plodder.refused)
        if plodder.refused:
            self.assertTrue(plodder.ended)
            if not events["refused"]["ended"]:  # it saw a dot that might have been meant
                self.assertRegex(data, rb"(?:^|[\r\n])\.[\r\n]")
                return
        else:
            self.assertEqual(session.sent[SERVER], b"".join(plodder.lines))
        taken = len(data) - len(plodder.rest)
        came = -(-taken // step) * step
        self.assertEqual(events["rest"]["data"], data[taken:came])


class LongTests(SynchronousTestCase):
    """Lines that are longer than they may be (setting 'line_bytes')."""

    head = b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
    line = b"QUJD" * 1000

    def sent(self, content: bytes, step: int, **options: Any) -> bytes:
        """What the server gets of it, behind DATA; the same in chunks."""
        session = talk(DATA, SMTPSettings(**options))
        data = content + b".\r\n"
        said(session, [(CLIENT, data[at : at + step]) for at in range(0, len(data), step)])
        dotted = session.sent[SERVER].partition(b"DATA\r\n")[2].removesuffix(b".\r\n")
        session = talk(DATA[:-2], SMTPSettings(**options))
        chunk = b"BDAT %d LAST\r\n" % len(content) + content
        said(session, [(CLIENT, chunk[at : at + step]) for at in range(0, len(chunk), step)])
        said(session, [(SERVER, OK)] * 9)
        chunks = re.sub(rb"BDAT [0-9]+(?: LAST)?\r\n", b"", session.sent[SERVER])
        self.assertEqual(chunks.partition(b"b.example>\r\n")[2], dotted)
        return dotted

    def test_folded(self) -> None:
        """Base64 is cut, which changes nothing of what it says; however it comes."""
        for length, end in ((4000, b"\r\nAA==\r\n"), (2049, b"\r\n"), (2050, b"=\r\nAA==\r\n")):
            content = self.head + self.line[:length] + end
            outs = {self.sent(content, step) for step in (1, 7, 2048, 10**6)}
            self.assertEqual(len(outs), 1)
            out = outs.pop()
            self.assertTrue(out.startswith(self.head))
            self.assertTrue(all(len(line) <= 76 for line in out.split(b"\r\n")))
            self.assertEqual(out.replace(b"\r\n", b""), content.replace(b"\r\n", b""))
        fine = self.head + self.line[:2048] + b"\r\n"
        self.assertEqual(self.sent(fine, 10**6), fine)

    def test_not_folded(self) -> None:
        """Anything else is refused, where it is no base64, or none was announced, or all is."""
        long = b"x" * 4000 + b"\r\n"
        for content, options in (
            (b"a: b\r\n\r\n" + long, {}),
            (long, {}),
            (self.head.replace(b"base64", b"8bit") + long, {}),
            (self.head + b"x" * 3000 + b"!" + long, {}),
            (self.head + long, {"long_lines": "deny"}),
            (b"a: b\r\nContent-Transfer-Encoding: base64\r\nb: " + long + b"\r\nAA==\r\n", {}),
        ):
            for step in (1, 1000, 10**6):
                session = talk(DATA, SMTPSettings(**options))  # type: ignore[arg-type]
                data = content + b".\r\n"
                said(session, [(CLIENT, data[at : at + step]) for at in range(0, len(data), step)])
                self.assertIn(b"554 5.6.0 A line of the message is too long", session.sent[CLIENT])
                self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))

    def test_costs_the_message(self) -> None:
        """A message that is held, and no more than that."""
        settings = SMTPSettings(headers=(HeaderRule("X", "reject"),))
        session = talk([*DATA[:-2], (CLIENT, b"DATA\r\na: b\r\n\r\n" + b"x" * 9999)], settings)
        said(session, [(CLIENT, b"\r\n.\r\n"), (SERVER, OK)])
        self.assertTrue(session.sent[SERVER].endswith(b"RSET\r\n"))
        self.assertTrue(
            session.sent[CLIENT].endswith(b"554 5.6.0 A line of the message is too long\r\n")
        )
        self.assertIsNone(session.verdict)

    def test_not_kept(self) -> None:
        """What is skipped of it is not kept."""
        session = talk([*DATA, (CLIENT, self.head)])
        for _ in range(300):
            said(session, [(CLIENT, b"A" * 3000)])
        self.assertGreater(len(session.sent[SERVER]), 850_000)
        said(session, [(CLIENT, b"!")])
        for _ in range(300):
            said(session, [(CLIENT, b"A" * 3000)])
        self.assertIsNone(session.verdict)


class CutTests(SynchronousTestCase):
    """Whatever happens does not depend on how the bytes are cut."""

    rules = SMTPSettings(
        headers=(HeaderRule("X", "reject"),),
        attachments=(AttachmentRule(extensions=frozenset({"exe"})),),
        hold_bytes=60,
    )

    def test_records(self) -> None:
        """Records, replies, what the server hears, and the end."""
        header = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n"
        exe = b"--x\r\nContent-Type: a/b; name=a.exe\r\n\r\nx\r\n--x--\r\n"
        base64 = b"Content-Transfer-Encoding: base64\r\n\r\n"
        for content in (
            *(header + b"a\nb\r\n.\r\n", header + b"a\rb\r\n.\r\n", b"a\n.\r\nb\r\n.\r\n"),
            *(header + b"\r\n.\rb\r\n.\r\n", header + b".\r\r\n.\r\n", b"a\r\n.\n.\r\n"),
            *(header + exe + b".\r\n", b"X: y\r\n" + header + b"x\r\n.\r\n"),
            *(b"Subject: y\r\n" * 3 + b"X: z\r\n\r\n.\r\n", header + b"x" * 3000 + b"\r\n.\r\n"),
            *(header + b"\0\r\n.\r\n", b"\r\n.\r\n", header + b"x\r\n.\r\n", b".\r\n"),
            *(header + b".\rb\r\n" + exe + b".\r\n", header + exe + b".\rb\r\n.\r\n"),
            *(base64 + long + b".\rb\r\n.\r\n" for long in LONG),
            *(b"\r\n" + long + b".\rb\r\n.\r\n" for long in LONG),
        ):
            for mode in (SMTPSettings(), self.rules, evolve(self.rules, bare_newline="repair")):
                seen = {self.seen(content, step, mode) for step in STEPS}
                self.assertEqual(len(seen), 1, "\n".join(seen))

    def seen(self, content: bytes, step: int, mode: SMTPSettings) -> str:
        """All that there is to be seen of it, but how much the server has of what it can't take."""
        data = b"DATA\r\n" * mode.holds + content + b"NOOP\r\n"
        session = talk(DATA[:-2] if mode.holds else DATA, mode)
        for at in range(0, len(data), step):
            said(session, [(CLIENT, data[at : at + step])])
            self.answer(session)
        heard = session.sent[SERVER]
        if session.verdict is not None:
            heard = heard.partition(b"DATA\r\n")[0]
        return repr((session.recorded, session.sent[CLIENT], heard, session.verdict))

    def answer(self, session: FakeSession) -> None:
        """What the server has been asked and has not answered."""
        asked = {b"DATA": b"354 Go\r\n", b"RSET": OK}
        while session.verdict is None and session.inspector._server.owes:  # type: ignore[attr-defined]
            last = session.sent[SERVER].removesuffix(b"\r\n")[-4:]
            if last not in asked:
                return
            said(session, [(SERVER, asked[last])])


STEPS = (1, 2, 5, 64, 10**6)
LONG = (b"A" * 4096, b"A" * 3000 + b"\r", b"A" * 2047 + b"\r", b"A" * 4094 + b"\r")
"""Lines that are too long, and what is left of them when so much was read as a line may have."""


class StuffingTests(SynchronousTestCase):
    """Dots that are added for the way (RFC 5321, section 4.5.2)."""

    lines = st.lists(st.text("ab. ", max_size=6).map(str.encode), max_size=12)

    @settings(max_examples=200, deadline=None)
    @given(lines)
    def test_exact(self, lines: list[bytes]) -> None:
        """A well-behaved client's message arrives as it was, byte for byte."""
        wire = b"".join((b"." if x[:1] == b"." else b"") + x + b"\r\n" for x in lines) + b".\r\n"
        session = talk([*DATA, (CLIENT, wire)])
        self.assertTrue(session.sent[SERVER].endswith(b"DATA\r\n" + wire))

    def test_every_split(self) -> None:
        """Wherever the network cuts it."""
        wire = b"..\r\n...\r\n.a\r\n\r\n a.\r\n.\r\n"
        for pieces in every_split(wire):
            session = talk([*DATA, *((CLIENT, piece) for piece in pieces)])
            passed = session.sent[SERVER].partition(b"DATA\r\n")[2]
            # A single dot in front of something is taken off by every server.
            self.assertEqual(passed, b"..\r\n...\r\na\r\n\r\n a.\r\n.\r\n")

    def test_stuffed(self) -> None:
        """Every dot that begins a line gets one more."""
        self.assertEqual(stuffed(b".\r\n..\r\na.\r\n.b\r\n"), b"..\r\n...\r\na.\r\n..b\r\n")


class LimitTests(SynchronousTestCase):
    """Lines and messages have a largest size."""

    def test_line(self) -> None:
        """A line may be as long as the setting says, and no longer."""
        limit = SMTPSettings(line_bytes=1000)
        self.assertIsNone(talk([*DATA, (CLIENT, b"a" * 1000 + b"\r\n")], limit).verdict)
        session = talk([*DATA, (CLIENT, b"a" * 1001 + b"\r\n.\r\n")], limit)
        self.assertTrue(
            session.sent[CLIENT].endswith(b"554 5.6.0 A line of the message is too long\r\n")
        )

    def test_message(self) -> None:
        """A message that is too large is read to its end, refused, and never complete."""
        limit = SMTPSettings(message_bytes=1024)
        session = talk([*DATA, (CLIENT, b"a" * 1024 + b"\r\n")], limit)
        self.assertIsNone(session.verdict)
        said(session, [(CLIENT, b"b\r\n.\r\n")])
        self.assertIs(session.verdict.outcome, Outcome.DENIED)
        self.assertTrue(session.sent[CLIENT].endswith(b"552 5.3.4 The message is too large\r\n"))
        self.assertFalse(session.sent[SERVER].endswith(b".\r\n"))

    def test_endless(self) -> None:
        """A client that goes on and on after a refusal is cut off some day."""
        line = b"a" * 998 + b"\r\n"
        limit = SMTPSettings(message_bytes=1024, line_bytes=998)
        for wrong in (line * 2, b"x" * 1500, b"a\nb\r\n"):
            session = talk([*DATA, (CLIENT, wrong)], limit)
            for _ in range(2):
                said(session, [(CLIENT, line)])
            self.assertIsNone(session.verdict, wrong[:5])
            for _ in range(4):
                said(session, [(CLIENT, line)])
            self.assertIs(session.verdict.outcome, Outcome.DENIED)
            session = talk([*DATA, (CLIENT, wrong), *[(CLIENT, b"y" * 1100)] * 9], limit)
            self.assertIs(session.verdict.outcome, Outcome.DENIED)

    def test_announced(self) -> None:
        """A size that is announced as too large never reaches the server."""
        session = talk(
            [*DATA[:3], (CLIENT, b"MAIL FROM:<a@b> SIZE=2000\r\n")],
            SMTPSettings(message_bytes=1999),
        )
        self.assertTrue(session.sent[CLIENT].endswith(b"552 5.3.4 The message is too large\r\n"))
        self.assertNotIn(b"MAIL", session.sent[SERVER])


def lines_of(data: bytes, step: int, rules: Rules = Rules(True, 998)) -> bytes:  # noqa: B008
    """Content that comes so many bytes at a time, as lines."""
    whole, out = Whole(rules), b""
    for at in range(0, len(data), step):
        whole.feed(data[at : at + step])
        out += b"".join(iter(whole.block, b""))
    return out + whole.end()


class WholeTests(SynchronousTestCase):
    """Content in pieces that are cut anywhere."""

    @settings(max_examples=200, deadline=None)
    @given(pieces, st.integers(1, 7))
    def test_same(self, pieces: list[bytes], step: int) -> None:
        """The lines are the same however it is cut, and have nothing in them that is no line."""
        data = b"".join(pieces)
        at_once = lines_of(data, len(data) + 1)
        self.assertEqual(at_once, lines_of(data, step))
        self.assertNotIn(b"\0", at_once)
        for line in at_once.split(b"\r\n"):
            self.assertFalse(b"\r" in line or b"\n" in line)

    def test_denied(self) -> None:
        """A lone CR, LF or NUL is denied, wherever the cut is; so is a line that is too long."""
        for pieces in ([b"a\n"], [b"a\rb\r\n"], [b"a\r", b"b\n"], [b"\0\r\n"], [b"a" * 1000]):
            whole = Whole(Rules(False, 998))
            with self.assertRaises(Unfit):
                for piece in pieces:
                    whole.feed(piece)
                    while whole.block():
                        pass

"""The protocol of ClamAV's daemon: bytes in, bytes out."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.testing import bytewise
from protocols.scanners.clamd.command import CHUNK, LAST, chunks
from protocols.scanners.clamd.reply import LONGEST, Replies, Reply, Said, parse
from protocols.scanners.clamd.version import Version, version
from protocols.scanners.fault import ScannerFault

REAL = {
    b"stream: OK": Reply(Said.CLEAN, ""),
    b"2: stream: OK": Reply(Said.CLEAN, "", 2),
    b"stream: Eicar-Test.UNOFFICIAL FOUND": Reply(Said.FOUND, "Eicar-Test.UNOFFICIAL"),
    b"12: stream: Win.Test.EICAR_HDB-1 FOUND": Reply(Said.FOUND, "Win.Test.EICAR_HDB-1", 12),
    b"INSTREAM size limit exceeded. ERROR": Reply(
        Said.TOO_LONG, "longer than the daemon's StreamMaxLength"
    ),
    b"1: INSTREAM size limit exceeded. ERROR": Reply(
        Said.TOO_LONG, "longer than the daemon's StreamMaxLength", 1
    ),
    b"stream: Time limit reached ERROR": Reply(Said.ERROR, "Time limit reached"),
    b"6: Command invalid inside IDSESSION. ERROR": Reply(
        Said.ERROR, "Command invalid inside IDSESSION", 6
    ),
    b"COMMAND READ TIMED OUT": Reply(
        Said.ERROR, "the daemon waited too long for the rest of a body"
    ),
    b"3: PONG": Reply(Said.OTHER, "PONG", 3),
    b"1: ClamAV 1.4.6/27456/Sun Nov 29 08:30:04 2026": Reply(
        Said.OTHER, "ClamAV 1.4.6/27456/Sun Nov 29 08:30:04 2026", 1
    ),
}
"""What clamd 1.4.6 was seen to say."""


class ReplyTests(SynchronousTestCase):
    """What the daemon says."""

    def test_real(self) -> None:
        """Each of its replies means what it means."""
        for line, meant in REAL.items():
            self.assertEqual(parse(line), meant)

    def test_cut(self) -> None:
        """However they are cut, and whichever end they have, replies are the same."""
        said = b"1: stream: OK\0COMMAND READ TIMED OUT\n2: stream: x FOUND\0"
        replies = Replies()
        found = [reply for byte in bytewise(said) for reply in replies.feed(byte)]
        self.assertEqual(found, Replies().feed(said))
        self.assertEqual([one.said for one in found], [Said.CLEAN, Said.ERROR, Said.FOUND])

    def test_half(self) -> None:
        """A reply that has no end is none, however clean it looks."""
        replies = Replies()
        self.assertEqual(replies.feed(b"1: stream: OK"), [])
        self.assertRaises(ScannerFault, replies.end)

    def test_no_reply(self) -> None:
        """What only looks like a verdict is a fault: nothing passes by a guess."""
        for line in (b"", b"stream: ", b"stream: OK ", b"stream: ok", b"stream:  FOUND", b"1: "):
            self.assertRaises(ScannerFault, parse, line)
        self.assertRaises(ScannerFault, parse, b"stream: a\x1b[2Jb FOUND")

    def test_endless(self) -> None:
        """Bytes without an end are not collected for ever."""
        replies = Replies()
        replies.feed(b"x" * LONGEST)
        self.assertRaises(ScannerFault, replies.feed, b"x")

    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=60)))
    def test_rubbish(self, pieces: list[bytes]) -> None:
        """Whatever it sends, it is replies or the scanner's fault, and never clean by accident."""
        replies = Replies()
        try:
            found = [reply for piece in pieces for reply in replies.feed(piece)]
        except ScannerFault:
            return
        clean = sum(reply.said is Said.CLEAN for reply in found)
        self.assertLessEqual(clean, b"".join(pieces).count(b"stream: OK"))


class CommandTests(SynchronousTestCase):
    """What it is told."""

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_chunks(self, block: bytes) -> None:
        """A piece of a body is sent whole, and no chunk of it is the last one."""
        sent = b"".join(chunks(block))
        self.assertEqual(sent, len(block).to_bytes(4, "big") + block if block else b"")
        self.assertEqual(LAST, bytes(4))

    def test_large(self) -> None:
        """A large piece leaves in chunks whose lengths are kept."""
        block = bytes(range(256)) * (CHUNK // 256) + b"more"
        first, second = chunks(block)
        self.assertEqual(first[4:] + second[4:], block)
        self.assertEqual(second[:4], b"\0\0\0\4")

    def test_version(self) -> None:
        """Which signatures have judged is in the record; also if the daemon has only its own."""
        self.assertEqual(
            version("ClamAV 1.4.6/27456/Sun Nov 29 08:30:04 2026"),
            Version("1.4.6", "27456", "Sun Nov 29 08:30:04 2026"),
        )
        self.assertEqual(str(version("ClamAV 1.4.6")), "ClamAV 1.4.6")
        self.assertIsNone(version("PONG"))

"""Audit records on their way from a worker to the supervisor."""

from __future__ import annotations

import socket

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from gateway.workers import stream as module
from gateway.workers.stream import AuditIntake, AuditStream


class IntakeTests(SynchronousTestCase):
    """Only whole lines come out, and what is not completed is counted."""

    def setUp(self) -> None:
        self.lines: list[bytes] = []
        self.torn: list[int] = []
        self.full = False
        ours, self.theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(self.theirs.close)
        self.clock = MemoryReactorClock()
        self.intake = AuditIntake(
            self.clock, ours, self.lines.append, lambda: self.full, self.torn.append
        )
        self.intake.start()

    def test_pieces(self) -> None:
        """However the lines are cut on their way."""
        for piece in (b'{"a":', b"1}\n", b"{}\n{}\n{", b"}\n"):
            self.theirs.sendall(piece)
            self.intake.doRead()
        self.assertEqual(b"".join(self.lines), b'{"a":1}\n{}\n{}\n{}\n')
        self.assertTrue(all(line.endswith(b"\n") for line in self.lines))

    def test_killed(self) -> None:
        """What a dead worker has begun is dropped, and told."""
        self.theirs.sendall(b"{}\n{12345")
        self.theirs.close()
        self.intake.doRead()
        self.intake.doRead()
        self.assertEqual((self.lines, self.torn), ([b"{}\n"], [6]))
        self.assertEqual(self.clock.getReaders(), [])

    def test_endless(self) -> None:
        """A line without an end is not kept for ever: nothing more is heard of who writes one."""
        self.patch(module, "LONGEST", 1000)
        for _ in range(3):
            self.theirs.sendall(bytes(600))
            self.intake.doRead()
            if not self.clock.getReaders():
                break
        self.assertEqual((self.lines, self.torn), ([], [1200]))
        with self.assertRaises(OSError):
            self.theirs.sendall(b"{}\n")

    def test_full(self) -> None:
        """Nothing is read while it can't be written, and nothing is lost by that."""
        self.full = True
        self.theirs.sendall(b"{}\n")
        self.intake.doRead()
        self.assertEqual((self.lines, self.clock.getReaders()), ([], []))
        self.full = False
        self.clock.advance(1)
        self.assertEqual(self.clock.getReaders(), [self.intake])
        self.intake.doRead()
        self.assertEqual(self.lines, [b"{}\n"])


class StreamTests(SynchronousTestCase):
    """The worker's end."""

    def test_slow(self) -> None:
        """It writes what is taken, waits for a reader no longer than it was told, and fails
        when there is none."""
        ours, theirs = socket.socketpair()
        stream = AuditStream("records", ours.detach())
        self.addCleanup(stream.let_go)
        written = 0
        while count := stream.write(memoryview(bytes(100_000)), 0):
            written += count
        self.assertGreater(written, 0)
        theirs.close()
        with self.assertRaises(OSError):
            stream.write(memoryview(b"{}\n"), 0)

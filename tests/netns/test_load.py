"""Much at once: what it costs the gateway is bounded. No times are measured."""

from __future__ import annotations

import resource
from pathlib import Path

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SceneCase, hear

MIB = 1 << 20
SESSIONS = 2000


class LoadTests(SceneCase):
    """One gateway under load."""

    gateway = "[limits]\nsessions_per_client = 0\n"
    embedded = True

    def prepare(self) -> None:
        """Descriptors for both ends of all sessions in this process."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.scene.daemon.before = ("prlimit", f"--nofile={SESSIONS * 4}:{SESSIONS * 4}")
        super().prepare()

    def resident(self) -> int:
        """Bytes of memory that the gateway process has."""
        pages = Path(f"/proc/{self.scene.daemon.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def test_receiver_does_not_read(self) -> None:
        """A sender of a GiB to a receiver that reads nothing waits; little of it is held."""
        warm, _, _ = self.pair()
        warm.close()
        before = self.resident()
        ours, theirs, _ = self.pair()
        ours.setblocking(False)
        sent = 0
        piece = b"x" * MIB

        def stuck() -> bool:
            nonlocal sent
            try:
                sent += ours.send(piece)
            except BlockingIOError:
                return False
            return sent >= 1024 * MIB

        self.assertFalse(wait_until(stuck, seconds=2, every=0.0005), "nobody made the sender wait")
        self.assertLess(self.resident() - before, 2 * MIB)
        self.assertGreater(sent, 0)
        ours.close()
        self.assertEqual(len(hear(theirs)), sent)

    def test_many_sessions(self) -> None:
        """Two thousand sessions at the same time; every one of them still works."""
        before = self.resident()
        opened = [self.dial((SERVER, 7)) for _ in range(SESSIONS)]
        for number, ours in enumerate(opened):
            ours.sendall(b"%08d" % number)
        for number, ours in enumerate(opened):
            self.assertEqual(hear(ours, 8), b"%08d" % number)
        self.assertLess((self.resident() - before) / SESSIONS, 64 << 10)
        for ours in opened:
            ours.close()
        self.wait(lambda: len(self.scene.records()) >= SESSIONS, "records are missing", 20)

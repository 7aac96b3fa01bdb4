"""What the gateway says and does about what its keeper answers, once a second."""

from __future__ import annotations

import contextlib
import socket

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel.divert import State
from gateway.kernel.errors import KernelError
from gateway.kernel.keeper import KeeperLost, Kept
from gateway.life.heartbeat import SECONDS, Heartbeat
from gateway.systemd import Systemd

WELL = Kept(State.INSTALLED, 0, "", (), 0)
ANOTHER = Kept(State.NOT_INSTALLED, 0, "", (), 1)
"""A keeper that was started anew and knows nothing of us."""

LOST = "IPv4, tcp port 80, from lan0: somebody drops it"


class HeartbeatTests(SynchronousTestCase):
    """By a clock that stands still unless a test moves it."""

    def setUp(self) -> None:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.addCleanup(manager.close)
        manager.bind("")
        self.manager = manager
        systemd = Systemd({"NOTIFY_SOCKET": "@" + manager.getsockname()[1:].decode()})
        self.answer: Kept | Exception = WELL
        self.refusal: Exception | None = None
        self.installs = 0
        self.ends = 0
        self.clock = Clock()
        self.heartbeat = Heartbeat(self.clock, systemd, self.ask, self.install, self.end)
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.heartbeat.start()
        self.told()

    def ask(self) -> Deferred[Kept]:
        return succeed(self.answer) if isinstance(self.answer, Kept) else fail(self.answer)

    def install(self) -> Deferred[object]:
        self.installs += 1
        return succeed(None) if self.refusal is None else fail(self.refusal)

    def end(self) -> None:
        self.ends += 1

    def told(self) -> list[str]:
        """What systemd has been told."""
        lines = []
        with contextlib.suppress(BlockingIOError):
            while True:
                lines.append(self.manager.recv(1000).decode())
        return lines

    def beat(self, answer: Kept | Exception) -> list[LogLevel]:
        """One more second, and how loud it was."""
        self.answer = answer
        self.events.clear()
        self.clock.advance(SECONDS)
        return [event["log_level"] for event in self.events]

    def test_well(self) -> None:
        """Nothing is said, and the watchdog is fed."""
        self.assertEqual(self.beat(WELL), [])
        self.assertEqual(self.told(), ["WATCHDOG=1"])
        self.assertTrue(self.heartbeat.installed)

    def test_missing(self) -> None:
        """The rules are gone for good: said once, in the status too, and not alive."""
        gone = Kept(State.MISSING, 0, "no nft", (), 0)
        self.assertEqual(self.beat(gone), [LogLevel.critical])
        self.assertEqual(self.told(), ["STATUS=NOT INSPECTING: no nft"])
        self.assertFalse(self.heartbeat.installed)
        self.assertEqual(self.beat(gone), [])
        self.assertEqual(self.beat(WELL), [])
        self.assertEqual(self.told(), ["WATCHDOG=1", "STATUS=Inspecting"])

    def test_restored(self) -> None:
        """Somebody took the rules away, and they are back."""
        restored = Kept(State.INSTALLED, 1, "", (), 0)
        self.assertEqual(self.beat(restored), [LogLevel.error])
        self.assertEqual(self.beat(restored), [])

    def test_another_keeper(self) -> None:
        """One that had nothing to take over installs what runs, and that is said."""
        self.assertEqual(self.beat(ANOTHER), [LogLevel.error])
        self.assertEqual(self.installs, 1)
        self.assertTrue(self.heartbeat.installed)
        self.assertEqual(self.beat(Kept(State.INSTALLED, 0, "", (), 1)), [])

    def test_refused(self) -> None:
        """If it can't, it is asked again every second; the operator hears of it once."""
        self.refusal = KernelError("somebody else has the port")
        self.assertEqual(self.beat(ANOTHER), [LogLevel.critical])
        self.assertEqual(self.told(), ["STATUS=NOT INSPECTING: somebody else has the port"])
        self.assertFalse(self.heartbeat.installed)
        self.assertEqual(self.beat(ANOTHER), [])
        self.refusal = None
        self.assertEqual(self.beat(ANOTHER), [LogLevel.error])
        self.assertEqual(self.installs, 3)
        self.assertTrue(self.heartbeat.installed)
        self.assertEqual(self.told(), ["WATCHDOG=1", "STATUS=Inspecting"])

    def test_lost(self) -> None:
        """What this host drops is said once for each kind, and counted."""
        self.assertEqual(self.beat(Kept(State.INSTALLED, 0, "", (LOST,), 0)), [LogLevel.error])
        self.assertEqual(self.heartbeat.lost, 1)
        self.assertIn(LOST, self.told()[1])
        more = Kept(State.INSTALLED, 0, "", (LOST, LOST.replace("80", "81")), 0)
        self.assertEqual(self.beat(more), [LogLevel.error])
        self.assertEqual(self.beat(WELL), [LogLevel.info])
        self.assertEqual(self.heartbeat.lost, 0)

    def test_silent(self) -> None:
        """A keeper that does not answer: the rules are as they were, as far as anybody knows."""
        self.assertEqual(self.beat(KernelError("too late")), [LogLevel.error])
        self.assertEqual(self.beat(KernelError("too late")), [])
        self.assertTrue(self.heartbeat.installed)
        self.assertEqual(self.told(), [])
        self.assertEqual(self.ends, 0)

    def test_keeper_is_gone(self) -> None:
        """There is none any more, and won't be: the gateway ends."""
        self.assertEqual(self.beat(KeeperLost("all killed")), [LogLevel.critical])
        self.assertEqual(self.ends, 1)
        self.assertEqual(self.beat(WELL), [])

"""Releasing: a carrier of the gateway's own that fails holds up neither its start nor its end."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gateway.kernel import companion
from gateway.kernel.companion import Companion
from gateway.life import releasing
from gateway.life.releasing import Releasing
from gateway.policy.policy import Policy
from gateway.policy.release import Release
from gateway.release.adopted import Home


class ReleasingTests(SynchronousTestCase):
    """What the operator hears."""

    def test_hangs(self) -> None:
        """It says nothing, and does not end: both are told, and all goes on without it."""
        process = subprocess.Popen(("sleep", "600"))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        theirs.close()
        self.patch(releasing, "start", lambda *how: Companion("carrier", process, ours))
        self.patch(companion, "ENDING_SECONDS", 0.1)
        told: list[LogEvent] = []
        globalLogPublisher.addObserver(told.append)
        self.addCleanup(globalLogPublisher.removeObserver, told.append)
        carrier = Releasing(
            Clock(), Policy(release=Release(kernel=True)), None, _nowhere, list, abs
        )
        carrier.open(Path(), Path())
        self.assertIn("there is no carrier", told[-1]["log_format"])
        carrier.close()
        carrier.wait()
        self.assertEqual(told[-1]["process"], process.pid)


def _nowhere() -> Home:
    raise AssertionError("there are no sessions")

"""The laboratory waits as long as a slow machine needs, and not for what stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from gateway.lab.waiting import wait_until, work_done


class WaitingTests(SynchronousTestCase):
    """L{wait_until} with something that tells progress."""

    def test_slow(self) -> None:
        """What makes progress is waited for, for several times as long."""
        calls, steps = count(), count()
        came = wait_until(lambda: next(calls) == 40, 0.2, 0.02, progress=lambda: next(steps))
        self.assertTrue(came)

    def test_stands_still(self) -> None:
        """What does not is given up after the time that was given."""
        calls = count()
        self.assertFalse(wait_until(lambda: next(calls) == 1000, 0.1, 0.02, progress=lambda: 1))

    def test_for_ever(self) -> None:
        """Progress without an end is no answer either."""
        steps = count()
        self.assertFalse(wait_until(lambda: False, 0.02, 0.005, progress=lambda: next(steps)))

    def test_work(self) -> None:
        """A process that computes makes progress, and so does the one that started it."""
        burn = "import time\nwhile time.process_time() < 60: pass"
        command = ["sh", "-c", f"{sys.executable} -c '{burn}'; true"]
        parent = subprocess.Popen(command, start_new_session=True)
        self.addCleanup(parent.wait)
        self.addCleanup(os.killpg, parent.pid, signal.SIGKILL)
        before = work_done(parent.pid)
        self.assertTrue(wait_until(lambda: work_done(parent.pid) > before + 5, 30))

    def test_gone(self) -> None:
        """A process that has ended makes none."""
        ended = subprocess.Popen(["true"])
        ended.wait()
        self.assertEqual(work_done(ended.pid), 0)

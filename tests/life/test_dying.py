"""An error that the reactor does not survive."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

REACTOR = """
from twisted.internet import base, reactor
from gateway.life.dying import die_with_the_reactor

class NoMemory:
    "What catches everything, so that it can be logged, has no memory left to do so."
    def __enter__(self):
        pass
    def __exit__(self, *_):
        return False

def fail():
    base._topHandler = NoMemory()
    reactor.callLater(0, list)
    reactor.runUntilCurrent = lambda: bytearray(1 << 62)

die_with_the_reactor()
reactor.callWhenRunning(lambda: reactor.callInThread(list))
reactor.callWhenRunning(fail)
reactor.run()
"""


class DyingTests(SynchronousTestCase):
    """Without memory."""

    def test_ends(self) -> None:
        """It says why, and ends, so that another one is started; its threads don't keep it."""
        done = subprocess.run(
            [sys.executable, "-c", REACTOR], capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("MemoryError", done.stderr)

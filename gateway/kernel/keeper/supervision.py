"""
Supervision: whoever of the keeper's two processes is killed, the other one sees to it. So for
the carrier's.

The elder does nothing but hold what must not be lost (the connection to the
gateway, the socket that owns the table) and begin the work again when the
younger ends without having said that all is done. If the elder is killed, the
younger notices, takes its place, and has the work begun again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

SHORT_LIFE = 5.0
"""After a life of fewer seconds there is a pause before the next one, longer each time."""

LONGEST_PAUSE = 2.0
"""Seconds."""


def supervise(work: Callable[[], bool], say: Callable[[str], object], name: str = "keeper") -> None:
    """
    Have C{work} done in a process of its own, until all is done. SIGTERM ends both, unless it is
    ignored.

    @param work: gives back whether all is done; if not, its supervisor is dead.
    @param say: tells the operator.
    @param name: what the operator calls the process.
    """
    pause = 0.0
    while True:
        begun = monotonic()
        child = os.fork()
        if not child:
            _pass_on(signal.SIG_DFL)
            if work():
                os._exit(0)
            say(f"the {name}'s supervisor was killed; another one has taken its place")
            continue
        _pass_on(lambda number, _, child=child: os.kill(child, number))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status in (0, -signal.SIGTERM):
            return
        say(f"the {name} has ended ({_how(status)}), and is started again")
        pause = min(LONGEST_PAUSE, 2 * pause + 0.05) if monotonic() - begun < SHORT_LIFE else 0.0
        sleep(pause)


def _pass_on(do: Any) -> None:
    """What SIGTERM does, unless it is ignored."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, do)


def _how(status: int) -> str:
    return f"status {status}" if status > 0 else signal.Signals(-status).name

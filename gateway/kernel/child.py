"""A child of this process that was started before it became another program."""

from __future__ import annotations

import os
import subprocess
from time import monotonic, sleep

_LOOK = 0.02
"""Seconds between two looks whether it has ended."""


class Child:
    """As much of C{subprocess.Popen} as is asked for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended = False

    def poll(self) -> int | None:
        """C{None} as long as it lives."""
        if not self._ended:
            try:
                self._ended = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
            except ChildProcessError:
                self._ended = True
        return 0 if self._ended else None

    def wait(self, timeout: float | None = None) -> int:
        """
        Until it has ended.

        @raise subprocess.TimeoutExpired: it hasn't, in so many seconds.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            sleep(_LOOK)
        return 0

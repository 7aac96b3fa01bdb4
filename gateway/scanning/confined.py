"""
Confined: how a program of the operator's is started, in a folder of its own.

It has nothing of the gateway's: no descriptor, no capability, no way to get one, a session of its
own (so that all that it has started can be killed), and an empty folder that is removed afterwards.
util-linux does that, as C{spawnProcess} can't.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from contextlib import suppress
from tempfile import mkdtemp

from gateway.tools import Run

NOBODY = 65534
"""Who it is, where the gateway is root."""


class Confined:
    """
    What one program is started with.

    @ivar path: of what is executed.
    @ivar command: with its arguments.
    @ivar environment: all that is in its environment.
    @ivar folder: its own.
    """

    def __init__(self, run: Run, folder: str) -> None:
        """
        @param folder: in which it gets one; empty: the system's own for such.
        @raise OSError: that can't be.
        """
        self.folder = mkdtemp(prefix="tproxygw-", dir=folder or None)
        try:
            if os.geteuid() == 0:
                _give_away(self.folder)
        except OSError:
            self.remove()
            raise
        self.command = _wrapped(run)
        self.path = shutil.which(self.command[0]) or self.command[0]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **run.environment}
        self.environment = {**environment, "TMPDIR": self.folder, "HOME": self.folder}

    def remove(self) -> None:
        """Its folder goes, with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def kill(process: int | None) -> None:
    """A program, and all that it has started; C{None}: it is gone."""
    if process is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)  # it has no session of its own yet


def _give_away(folder: str) -> None:
    """
    To nobody. A root that has dropped its capabilities can't, nor become somebody else; but it
    still owns the host's files, so it is no user for programs.
    """
    try:
        os.chown(folder, NOBODY, NOBODY)
    except PermissionError:
        raise PermissionError(
            errno.EPERM, "programs are not run as root: start the gateway with --uid and --gid"
        ) from None


def _wrapped(run: Run) -> list[str]:
    """The command line."""
    who = f"--reuid={NOBODY} --regid={NOBODY} --clear-groups --bounding-set=-all".split()
    drop = ["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"]
    limits = ["--core=0", f"--as={run.memory}", *([f"--cpu={run.seconds}"] if run.seconds else [])]
    privileges = [*(who if os.geteuid() == 0 else ()), *drop]
    return ["setsid", "setpriv", *privileges, "--", "prlimit", *limits, "--", *run.command]

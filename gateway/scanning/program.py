"""
Program: one of the operator's, run with one body.

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
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.tools import ISpool, Ran, Run

NOBODY = 65534
"""Who it is, where the gateway is root."""

MOST_SAID = 65536
"""Bytes of its standard output; with as many, it is killed."""

MOST_COMPLAINED = 4096
"""Bytes of its standard error that are kept."""

_BLOCK = 65536


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
    limits = f"--core=0 --cpu={run.seconds} --as={run.memory}".split()
    privileges = [*(who if os.geteuid() == 0 else ()), *drop]
    return ["setsid", "setpriv", *privileges, "--", "prlimit", *limits, "--", *run.command]


@implementer(IPullProducer)
class Program(ProcessProtocol):
    """
    One program.

    @ivar transport: Twisted's, which has more than its interface says.
    @ivar done: fires with what came of it. Cancel it to kill the program.
    @ivar over: fires when it has ended, however.
    """

    transport: Any

    def __init__(self, run: Run, body: ISpool) -> None:
        self.done: Deferred[Ran] = Deferred(lambda _: self.kill())
        self.over: Deferred[None] = Deferred()
        self._run = run
        self._body = body
        self._at = 0
        self._said = self._complained = b""
        self._folder = ""

    def start(self, reactor: Any, folder: str) -> None:
        """
        Start it.

        @param folder: in which it gets one; empty: the system's own for such.
        @raise OSError: that can't be.
        """
        self._folder = mkdtemp(prefix="tproxygw-", dir=folder or None)
        if os.geteuid() == 0:
            _give_away(self._folder)
        command = _wrapped(self._run)
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **self._run.environment}
        environment["TMPDIR"] = environment["HOME"] = self._folder
        path = shutil.which(command[0]) or command[0]
        reactor.spawnProcess(self, path, command, environment, self._folder)

    def kill(self) -> None:
        """And all that it has started."""
        pid = self.transport.pid if self.transport is not None else None
        if pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)  # it has no session of its own yet

    # For the reactor

    def connectionMade(self) -> None:
        """It runs."""
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """It takes more of the body."""
        block = b"" if self.done.called else self._body.read(self._at, _BLOCK)
        self._at += len(block)
        if block:
            self.transport.write(block)
        else:
            self.transport.unregisterProducer()
            self.transport.closeStdin()

    def stopProducing(self) -> None:
        """It has seen enough."""

    def outReceived(self, data: bytes) -> None:
        """It says something."""
        self._said += data[: MOST_SAID - len(self._said)]
        if len(self._said) == MOST_SAID:
            self.kill()

    def errReceived(self, data: bytes) -> None:
        """It complains."""
        self._complained += data[: MOST_COMPLAINED - len(self._complained)]

    def processEnded(self, reason: Failure) -> None:
        """It has ended, and so have its outputs."""
        self.remove()
        if not self.done.called:
            status = getattr(reason.value, "exitCode", None)
            self.done.callback(Ran(status, self._said, self._complained))
        self.over.callback(None)

    def remove(self) -> None:
        """Its folder goes, with all that is in it."""
        shutil.rmtree(self._folder, ignore_errors=True)

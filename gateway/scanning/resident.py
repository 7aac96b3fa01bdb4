"""
Resident: a program of the operator's that stays, and judges one body after the other.

Its standard input and output are one end of a socket, the L{Line} has the other one. It is killed
when that is closed.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from gateway.observe.log import PrintableLogger
from gateway.scanning.confined import Confined, kill
from gateway.scanning.line import Line
from gateway.tools import Run

log = PrintableLogger()

MOST_COMPLAINED = 4096
"""Bytes of its standard error that are kept for the log."""


class Resident(ProcessProtocol):
    """
    The process.

    @ivar transport: Twisted's, which has more than its interface says.
    """

    transport: Any

    def __init__(self, name: str, confined: Confined) -> None:
        self._name = name
        self._confined = confined
        self._complained = b""
        self._unwanted = False

    def start(self, reactor: Any, theirs: int) -> None:
        """
        @param theirs: the descriptor that it has as standard input and output.
        @raise OSError: that can't be; nothing is left of it.
        """
        how = self._confined
        descriptors = {0: theirs, 1: theirs, 2: "r"}
        try:
            reactor.spawnProcess(
                self, how.path, how.command, how.environment, how.folder, childFDs=descriptors
            )
        except OSError:
            how.remove()
            raise

    def leave(self) -> None:
        """Nobody wants it any more."""
        self._unwanted = True
        kill(self.transport.pid if self.transport is not None else None)

    def errReceived(self, data: bytes) -> None:
        """It complains."""
        self._complained += data[: MOST_COMPLAINED - len(self._complained)]

    def processEnded(self, reason: Failure) -> None:
        """It has ended, and so has its standard error."""
        self._confined.remove()
        if not self._unwanted:
            why = self._complained.decode("utf-8", "replace").strip() or reason.getErrorMessage()
            log.warn("{name} ended by itself: {why}", name=self._name, why=why)


class ResidentLine(Line):
    """The gateway's end."""

    def __init__(self, reactor: Any, name: str, sock: socket.socket, resident: Resident) -> None:
        super().__init__(reactor, name, sock, True)
        self._resident = resident

    def close(self) -> None:
        """See L{Line.close}."""
        super().close()
        self._resident.leave()


def begin(reactor: Any, run: Run, folder: str) -> ResidentLine:
    """
    Start a program.

    @param folder: in which it gets one of its own.
    @raise OSError: that can't be.
    """
    name = run.called
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        try:
            resident = Resident(name, Confined(run, folder))
            resident.start(reactor, theirs.fileno())
        except OSError:
            ours.close()
            raise
    return ResidentLine(reactor, name, ours, resident)

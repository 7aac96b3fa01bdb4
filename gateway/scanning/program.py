"""Program: one of the operator's, run with one body."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.scanning.confined import Confined, kill
from gateway.tools import ISpool, Ran, Run, SpoolFull

MOST_SAID = 65536
"""Bytes of its standard output; with as many, it is killed."""

MOST_COMPLAINED = 4096
"""Bytes of its standard error that are kept."""

_BLOCK = 65536


@implementer(IPullProducer)
class Program(ProcessProtocol):
    """
    One program.

    @ivar transport: Twisted's, which has more than its interface says.
    @ivar done: fires with what came of it. Cancel it to kill the program.
    @ivar over: fires when it has ended, however.
    """

    transport: Any

    def __init__(self, run: Run, body: ISpool, output: ISpool | None) -> None:
        self.done: Deferred[Ran] = Deferred(lambda _: self.kill())
        self.over: Deferred[None] = Deferred()
        self._run = run
        self._body = body
        self._output = output
        self._at = 0
        self._said = self._complained = b""
        self._confined: Confined | None = None

    def start(self, reactor: Any, folder: str) -> None:
        """
        Start it.

        @param folder: in which it gets one; empty: the system's own for such.
        @raise OSError: that can't be.
        """
        confined = self._confined = Confined(self._run, folder)
        reactor.spawnProcess(
            self, confined.path, confined.command, confined.environment, confined.folder
        )

    def kill(self) -> None:
        """And all that it has started."""
        kill(self.transport.pid if self.transport is not None else None)

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
        if self._output is not None:
            self._put(self._output, data)
            return
        self._said += data[: MOST_SAID - len(self._said)]
        if len(self._said) == MOST_SAID:
            self.kill()

    def _put(self, output: ISpool, data: bytes) -> None:
        try:
            if output.size + len(data) > self._run.most:
                raise SpoolFull("it writes more than it may")
            output.put(data)
        except SpoolFull as full:
            self._complained = self._complained or str(full).encode()
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
        if self._confined is not None:
            self._confined.remove()

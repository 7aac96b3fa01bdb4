"""
Audit records on their way from a worker to the supervisor, which writes them all.

A worker writes as to a pipe, whole lines one after the other. If the supervisor can't write, it
does not read; the stream fills, then what the worker may keep, and then the worker admits no more
sessions, or drops records, as it would with a slow disk of its own.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

PIECE = 262144
"""Bytes for one read."""

LONGEST = 16 * 1024 * 1024
"""Bytes of a line: many times what a record has."""

AGAIN = 0.05
"""Seconds until it is looked again whether the supervisor can write."""


class AuditStream:
    """
    The worker's end, in place of an L{AuditFile<gateway.observe.file.AuditFile>}.

    @param descriptor: of the stream.
    """

    is_open = True
    is_null = False

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def __str__(self) -> str:
        return f"{self.path} (by the supervisor)"

    def open(self, owner: object = None) -> None:
        """It is."""

    def reopen(self, torn: int) -> None:
        """The supervisor does that."""

    def write(self, data: memoryview, seconds: float) -> int:
        """See L{AuditFile.write<gateway.observe.file.AuditFile.write>}."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(seconds * 1000):
            return 0
        try:
            return os.write(self._descriptor, data[:PIECE])
        except BlockingIOError:
            return 0

    def let_go(self, torn: int = 0) -> None:
        """No more comes. What was not completed is dropped by the supervisor."""
        os.close(self._descriptor)


@implementer(IReadDescriptor)
class AuditIntake:
    """
    The supervisor's end.

    @param take: is told whole lines.
    @param is_full: whether they can't be written now.
    @param ended: is told at the end how many bytes of a line were not completed.
    @ivar begun: what has come of a line that is not complete.
    """

    def __init__(
        self,
        reactor: Any,
        stream: socket.socket,
        take: Callable[[bytes], object],
        is_full: Callable[[], bool],
        ended: Callable[[int], object],
    ) -> None:
        self._reactor = reactor
        self._stream = stream
        self._take = take
        self._is_full = is_full
        self._ended = ended
        self.begun = b""
        stream.setblocking(False)

    def start(self) -> None:
        """Read."""
        if self._stream.fileno() >= 0:
            self._reactor.addReader(self)

    def stop(self) -> None:
        """Read no more."""
        self._reactor.removeReader(self)

    def doRead(self) -> None:
        """The reactor: something has come."""
        if self._is_full():
            self._reactor.removeReader(self)
            self._reactor.callLater(AGAIN, self.start)
            return
        try:
            data = self._stream.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        lines, newline, begun = data.rpartition(b"\n")
        if newline:
            self._take(self.begun + lines + newline)
            self.begun = begun
        else:
            self.begun += data
        if len(self.begun) > LONGEST:  # it has gone mad
            self._close()

    def _close(self) -> None:
        self._reactor.removeReader(self)
        self._stream.close()
        self._ended(len(self.begun))

    def fileno(self) -> int:
        """Of the stream."""
        return self._stream.fileno()

    def logPrefix(self) -> str:
        """For the log."""
        return "audit"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor: it has failed, or the reactor stops."""
        if self._stream.fileno() >= 0:
            self._close()

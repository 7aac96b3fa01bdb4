"""
Line: one connection to a daemon of the operator's.

What the daemon said is heard even if it does not listen any more: a scanner that has decided, or
that finds a body too long, answers and closes while it is still being sent to.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

READ_BYTES = 65536
"""At once; and not more before somebody takes it."""

LITTLE = 65536
"""Bytes that may wait to be sent without anybody waiting for them."""


class Line:
    """
    A connection, or one that is being made.

    @ivar address: the daemon's, as the policy writes it.
    @ivar uses: how often it was kept.
    @ivar works: the daemon has answered on it.
    @ivar ended: the daemon has ended, or is gone; what it said before can still be read.
    @ivar notes: what the protocol remembers.
    """

    def __init__(self, reactor: Any, address: str, sock: socket.socket, connected: bool) -> None:
        self.address = address
        self.uses = 0
        self.works = False
        self.ended = False
        self.notes: dict[str, object] = {}
        self.made: Deferred[Line] | None = None
        self._reactor = reactor
        self._socket: socket.socket | None = sock
        self._connected = connected
        self._deaf = False
        self._unsent: deque[bytes | memoryview] = deque()
        self._waiting = 0
        self._unread = b""
        self._reading: Deferred[bytes] | None = None
        self._flushing: list[Deferred[None]] = []
        self._idle: Callable[[], None] | None = None
        if connected:
            reactor.addReader(self)
        else:
            reactor.addWriter(self)

    # For who uses it

    def connected(self) -> Deferred[Line]:
        """@return: fires with this line; fails with C{OSError}."""
        if self._connected:
            return succeed(self)
        self.made = Deferred(lambda _: self.close())
        return self.made

    def send(self, data: bytes) -> None:
        """See L{ILine.send<gateway.tools.ILine>}."""
        if self._socket is None or self._deaf or not data:
            return
        self._unsent.append(data)
        self._waiting += len(data)
        if len(self._unsent) == 1:
            self.doWrite()

    def flushed(self) -> Deferred[None]:
        """See L{ILine.flushed<gateway.tools.ILine>}."""
        if self._waiting <= LITTLE:
            return succeed(None)
        flushed: Deferred[None] = Deferred()
        self._flushing.append(flushed)
        return flushed

    def read(self) -> Deferred[bytes]:
        """See L{ILine.read<gateway.tools.ILine>}."""
        if self._unread or self.ended:
            data, self._unread = self._unread, b""
            if data and self._socket is not None and not self.ended:
                self._reactor.addReader(self)
            return succeed(data)
        self._reading = Deferred(self._read_no_more)
        return self._reading

    def _read_no_more(self, _: Deferred[bytes]) -> None:
        self._reading = None

    def rest(self, ended: Callable[[], None] | None) -> None:
        """
        Nobody uses it; C{None}: somebody does.

        @param ended: is called if the daemon ends, or speaks without being asked.
        """
        self._idle = ended

    @property
    def sound(self) -> bool:
        """Whether it can be used again: nothing is unread, and everything was taken."""
        return not (self.ended or self._unread or self._waiting or self._deaf)

    def close(self) -> None:
        """Nothing is sent or read any more."""
        sock, self._socket = self._socket, None
        if sock is None:
            return
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        sock.close()
        self._idle = None
        self._discard()
        self._over()

    # For the reactor

    def fileno(self) -> int:
        """The descriptor."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """What Twisted's log calls it."""
        return f"scanner {self.address}"

    def doRead(self) -> None:
        """There is something to read."""
        if self._socket is None:
            return
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
        elif self._reading is not None:
            reading, self._reading = self._reading, None
            reading.callback(data)
        else:
            self._unread += data
            if len(self._unread) >= READ_BYTES:
                self._reactor.removeReader(self)
            self._spoke()

    def doWrite(self) -> None:
        """It is connected, or takes more."""
        if self._socket is None:
            return
        if not self._connected:
            self._connect()
            return
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[0])
            except BlockingIOError:
                self._reactor.addWriter(self)
                return
            except OSError:
                self._discard()  # what it has said can be read, and then the end
                break
            self._waiting -= sent
            if sent < len(self._unsent[0]):
                self._unsent[0] = memoryview(self._unsent[0])[sent:]
            else:
                self._unsent.popleft()
        self._reactor.removeWriter(self)
        self._flush()

    def connectionLost(self, reason: Any) -> None:
        """The reactor found it gone."""
        if self._connected:
            self._discard()
            self._end()
        else:
            self._connect()

    # How

    def _connect(self) -> None:
        assert self._socket is not None
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._reactor.removeWriter(self)
        made, self.made = self.made, None
        if not error:
            self._connected = True
            self._reactor.addReader(self)
        else:
            self.close()
        if made is not None:
            made.callback(self) if not error else made.errback(
                ConnectionError(error, os.strerror(error))
            )

    def _end(self) -> None:
        """It says no more. What waits to be said to it does not matter either."""
        self._reactor.removeReader(self)
        self._over()
        self._spoke()

    def _over(self) -> None:
        self.ended = True
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.callback(b"")
        self._flush()

    def _spoke(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None:
            idle()

    def _discard(self) -> None:
        self._deaf = True
        self._unsent.clear()
        self._waiting = 0

    def _flush(self) -> None:
        if self._waiting <= LITTLE:
            flushing, self._flushing = self._flushing, []
            for flushed in flushing:
                flushed.callback(None)

"""
The gateway's end of a simulated connection: as much of a socket as the gateway asks for.

It answers as Linux does: what came before a reset can still be read; an error is told once, and
then there is the end, or a broken pipe; who closes a socket with something unread resets the
connection.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from gateway.interfaces import Address
from gateway.kernel.sockets import RESET
from gateway.testing.world.link import Link

IN, OUT, ERR, HUP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLERR, select.EPOLLHUP


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


class SimulatedSocket:
    """
    One end of a L{Link}.

    @param released: is called with the descriptor when it is closed.
    @ivar connecting: nobody has answered yet.
    """

    __slots__ = ("_fd", "_released", "_shut", "connecting", "link", "local", "reset_at_close")

    def __init__(self, fd: int, local: Address, released: Callable[[int], None]) -> None:
        self._fd = fd
        self._released = released
        self._shut = False
        self.connecting = False
        self.reset_at_close = False
        self.link = Link()
        self.local = local

    def fileno(self) -> int:
        """The descriptor, or -1 when closed."""
        return self._fd

    def getsockname(self) -> Address:
        """Its own address."""
        return self.local

    # Readiness

    def events(self) -> int:
        """What epoll has to tell, asked for or not."""
        link = self.link
        if self.connecting:
            return 0
        events = OUT if self._shut or link.to_peer.free > 0 else 0
        if link.to_gateway.waiting or link.to_gateway.ended:
            events |= IN
        if link.reset:
            events |= IN | OUT | HUP | (ERR if link.error else 0)
        elif self._shut and link.to_gateway.ended:
            events |= HUP
        return events

    # Receiving

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As a socket's."""
        self._check_open()
        waiting = self.link.to_gateway.waiting
        if waiting:
            data = bytes(waiting[:size])
            if not flags & socket.MSG_PEEK:
                del waiting[: len(data)]
            return data
        self._raise_error()
        if self.link.reset or self.link.to_gateway.ended:
            return b""
        raise BlockingIOError(errno.EAGAIN, "nothing to read")

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """As a socket's. With C{MSG_TRUNC} nothing is copied, see tcp(7)."""
        data = self.recv(size or len(buffer), flags & socket.MSG_PEEK)
        if not flags & socket.MSG_TRUNC:
            buffer[: len(data)] = data
        return len(data)

    # Sending

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        """As a socket's."""
        self._check_open()
        self._raise_error()
        stream = self.link.to_peer
        if self._shut or self.link.reset:
            raise _error(errno.EPIPE)
        if stream.abandoned:  # the kernel takes it; the answer is a reset
            self.link.break_off(errno.EPIPE if self.link.to_gateway.ended else errno.ECONNRESET)
            return len(data)
        free = stream.free
        if free <= 0:
            raise BlockingIOError(errno.EAGAIN, "no room")
        sent = memoryview(data)[:free]
        stream.waiting += sent
        if flags & socket.MSG_OOB:
            stream.urgent += sent[-1:]
        return len(sent)

    def sendmsg(self, buffers: Sequence[bytes | memoryview]) -> int:
        """As a socket's."""
        return self.send(b"".join(buffers))

    def shutdown(self, how: int) -> None:
        """As a socket's, for writing."""
        self._check_open()
        if self.link.reset:
            raise _error(errno.ENOTCONN)
        self._shut = True
        self.link.to_peer.ended = True

    # The rest

    def setsockopt(self, level: int, name: int, value: Any) -> None:
        """Of the options, to linger is the only one that anybody sets here: a reset at the end."""
        self._check_open()
        self.reset_at_close = value == RESET

    def getsockopt(self, level: int, name: int) -> int:
        """C{SO_ERROR}: told once."""
        code, self.link.error = self.link.error, 0
        return code

    def close(self) -> None:
        """As a socket's."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        link = self.link
        link.to_gateway.abandoned = True
        if self.reset_at_close or link.to_gateway.waiting:
            link.reset = True
            link.to_peer.waiting.clear()
        else:
            link.to_peer.ended = True
        self._released(fd)

    def _check_open(self) -> None:
        if self._fd < 0:
            raise _error(errno.EBADF)

    def _raise_error(self) -> None:
        code, self.link.error = self.link.error, 0
        if code:
            raise _error(code)


class SimulatedListener:
    """A listening socket: connections wait in C{queue}."""

    def __init__(self, fd: int, local: Address, released: Callable[[int], None]) -> None:
        self._fd = fd
        self._released = released
        self.local = local
        self.queue: deque[tuple[SimulatedSocket, Address]] = deque()

    def fileno(self) -> int:
        """The descriptor, or -1 when closed."""
        return self._fd

    def getsockname(self) -> Address:
        """Where it listens."""
        return self.local

    def events(self) -> int:
        """Whether somebody waits."""
        return IN if self.queue else 0

    def close(self) -> None:
        """As a socket's: who waits is reset."""
        fd, self._fd = self._fd, -1
        for sock, _ in self.queue:
            sock.reset_at_close = True
            sock.close()
        self.queue.clear()
        if fd >= 0:
            self._released(fd)

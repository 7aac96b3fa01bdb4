"""
The Network: descriptors, addresses, who listens, and who is asked to connect.

It has the names of L{gateway.kernel.sockets}, and takes its place.
"""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol, cast

from gateway.interfaces import Address
from gateway.kernel.sockets import Opened, Socket
from gateway.testing.world.peer import Peer
from gateway.testing.world.socket import SimulatedListener, SimulatedSocket

GATEWAY = "203.0.113.1"
"""The gateway's own address."""


class Descriptor(Protocol):
    """Whatever has a number."""

    def events(self) -> int:
        """What epoll has to tell, asked for or not."""


class Attempt:
    """
    Somebody is asked to accept a connection.

    @ivar server: who is asked.
    @ivar source: who seems to ask.
    """

    def __init__(self, sock: SimulatedSocket, server: Address) -> None:
        self._socket = sock
        self.server = server
        self.source = sock.local

    @property
    def pending(self) -> bool:
        """Whether somebody still waits for the answer."""
        return self._socket.connecting and self._socket.fileno() >= 0

    def accepts(self) -> Peer:
        """It is accepted."""
        self._socket.connecting = False
        return Peer(self._socket.link, self.server, self.source)

    def refuses(self, code: int = errno.ECONNREFUSED) -> None:
        """It is not: C{code} says why."""
        self._socket.connecting = False
        self._socket.link.break_off(code)


class SimulatedNetwork:
    """
    All sockets of one simulated host, and whoever they talk to.

    @ivar asked: is told of each L{Attempt}. It may answer, also with an C{OSError}, or leave that
        for later. By default nobody answers.
    @ivar there: what there is, by descriptor. A free one is taken again at once, as Linux does.
    @ivar taken: addresses that can't be bound to.
    """

    def __init__(self) -> None:
        self.asked: Callable[[Attempt], Any] = lambda attempt: None
        self.there: dict[int, Descriptor] = {}
        self.taken: set[Address] = set()
        self._free: list[int] = []
        self._next = count(3)
        self._ports = count(32768)

    # For the test

    def comes(self, client: Address, server: Address) -> tuple[Socket, Peer]:
        """A connection that the divert has brought: what a listener accepts, and who made it."""
        sock = self._socket(server)
        return cast(Socket, sock), Peer(sock.link, client, server)

    def calls(self, source: Address, address: Address) -> Peer | None:
        """C{source} connects to C{address}, where the gateway may listen; C{None} if not."""
        for listener in self.there.values():
            if isinstance(listener, SimulatedListener) and listener.local == address:
                sock = self._socket(address)
                listener.queue.append((sock, source))
                return Peer(sock.link, source, address)
        return None

    # In place of gateway.kernel.sockets

    def open_towards(
        self, server: Address, source: Address | None, mark: int, strict: bool = False
    ) -> Opened:
        """See L{gateway.kernel.sockets.open_towards}."""
        kept = source is not None and bool(source.port)
        if source is None:
            source = Address(GATEWAY, next(self._ports))
        elif source in self.taken and not strict:
            kept, source = False, source._replace(port=0)
        self._check_free(source)
        if not source.port:
            source = source._replace(port=next(self._ports))
        sock = self._socket(source)
        sock.connecting = True
        try:
            self.asked(Attempt(sock, server))
        except OSError:
            sock.close()
            raise
        return Opened(cast(Socket, sock), kept)

    def listen(self, address: Address, mark: int, backlog: int) -> Socket:
        """See L{gateway.kernel.sockets.listen}."""
        self._check_free(address)
        for other in self.there.values():
            if isinstance(other, SimulatedListener) and other.local == address:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        if not address.port:
            address = address._replace(port=next(self._ports))
        fd = self._descriptor()
        listener = self.there[fd] = SimulatedListener(fd, address, self.release)
        return cast(Socket, listener)

    def accept(self, listener: Socket) -> tuple[Socket, Address, Address]:
        """See L{gateway.kernel.sockets.accept}."""
        listening = cast(SimulatedListener, listener)
        if not listening.queue:
            raise BlockingIOError(errno.EAGAIN, "nobody waits")
        sock, source = listening.queue.popleft()
        return cast(Socket, sock), source, sock.local

    def is_ours(self, host: str) -> bool:
        """See L{gateway.kernel.sockets.is_ours}."""
        return host == GATEWAY

    def _check_free(self, address: Address) -> None:
        if address in self.taken:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def _socket(self, local: Address) -> SimulatedSocket:
        fd = self._descriptor()
        sock = self.there[fd] = SimulatedSocket(fd, local, self.release)
        return sock

    def enter(self, descriptor: Descriptor) -> int:
        """Something that is no socket gets a number."""
        fd = self._descriptor()
        self.there[fd] = descriptor
        return fd

    def release(self, fd: int) -> None:
        """It is closed."""
        del self.there[fd]
        heapq.heappush(self._free, fd)

    def _descriptor(self) -> int:
        return heapq.heappop(self._free) if self._free else next(self._next)

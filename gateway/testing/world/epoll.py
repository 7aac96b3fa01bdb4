"""Which simulated sockets are ready: as much of C{select.epoll} as the poller asks for."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable

from gateway.testing.world.network import Descriptor, SimulatedNetwork

_ALWAYS = select.EPOLLERR | select.EPOLLHUP
"""Told whether asked for or not."""


def _as_it_is(ready: list[tuple[int, int]]) -> None:
    """In the order in which they were registered."""


class SimulatedEpoll:
    """
    Level-triggered, and as strict as the kernel about what is registered.

    @param shuffle: puts what is ready in another order.
    """

    def __init__(
        self,
        network: SimulatedNetwork,
        shuffle: Callable[[list[tuple[int, int]]], object] = _as_it_is,
    ) -> None:
        self._network = network
        self._fd = network.enter(self)
        self._shuffle = shuffle
        self._armed: dict[int, tuple[int, Descriptor]] = {}

    def fileno(self) -> int:
        """Its descriptor."""
        return self._fd

    def events(self) -> int:
        """An epoll instance can be polled as well."""
        return select.EPOLLIN if self._ready() else 0

    def register(self, fd: int, events: int) -> None:
        """As epoll's."""
        if self._is_registered(fd):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self._armed[fd] = events, self._descriptor(fd)

    def modify(self, fd: int, events: int) -> None:
        """As epoll's."""
        if not self._is_registered(fd):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._armed[fd] = events, self._descriptor(fd)

    def unregister(self, fd: int) -> None:
        """As epoll's."""
        if not self._is_registered(fd):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        del self._armed[fd]

    def poll(self, timeout: float = 0, most: int = -1) -> list[tuple[int, int]]:
        """As epoll's. It never waits."""
        ready = self._ready()
        self._shuffle(ready)
        return ready if most < 0 else ready[:most]

    def _ready(self) -> list[tuple[int, int]]:
        ready = []
        for fd, (armed, descriptor) in tuple(self._armed.items()):
            if self._network.there.get(fd) is not descriptor:
                del self._armed[fd]  # closed: the kernel forgets it
                continue
            events = descriptor.events() & (armed | _ALWAYS)
            if events:
                ready.append((fd, events))
        return ready

    def close(self) -> None:
        """As epoll's."""
        self._armed.clear()
        self._network.release(self._fd)

    def _descriptor(self, fd: int) -> Descriptor:
        try:
            return self._network.there[fd]
        except KeyError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def _is_registered(self, fd: int) -> bool:
        """A number that was closed, and is another socket's now, is not."""
        armed = self._armed.get(fd)
        return armed is not None and armed[1] is self._network.there.get(fd)

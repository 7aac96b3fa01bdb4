"""
Gateways: the processes that sessions run in, as the usher knows them.

One, or several workers. Each says which one it is when it wants to be brought clients, and that
it leaves when it wants no more; what it was asked before, it still answers. Whoever
says that it is the same one takes the place of the former: that is a new gateway.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from typing import Any

from gateway.kernel.handshake.steering import by_client, by_connection
from gateway.kernel.handshake.words import LONGEST, hand, read_decided
from gateway.kernel.packets import parsed, send

Message = dict[str, Any]

MOST = 64
"""Connections: so many workers, with those of former generations."""


class Gateway:
    """
    The connection to one of them.

    @ivar index: which worker it is; C{None}: it wants nobody.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.index: int | None = None


class Gateways:
    """
    @param decided: is told what one has answered: the number, and whether it takes the client.
    @param gone: is told that one is gone, with all that it was asked.
    @param changed: is told when another one wants clients, or one no more.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        decided: Callable[[int, bool], object],
        gone: Callable[[Gateway], object],
        changed: Callable[[], object],
    ) -> None:
        self._selector = selector
        self._decided = decided
        self._gone = gone
        self._changed = changed
        self._all: list[Gateway] = []
        self._wanting: dict[int, Gateway] = {}
        self._alive: tuple[int, ...] = ()
        self._count = 1
        self._by_client = True

    def __len__(self) -> int:
        return len(self._all)

    @property
    def served(self) -> bool:
        """Whether one of them wants clients."""
        return bool(self._alive)

    def add(self, connection: socket.socket) -> None:
        """One more; the oldest goes if there are too many."""
        if len(self._all) >= MOST:
            self._lose(self._all[0])
        gateway = Gateway(connection)
        self._all.append(gateway)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(gateway))
        self._tell(gateway, {"began": True})

    def ask(
        self, client: bytes, number: int, data: bytes, descriptors: tuple[int, ...]
    ) -> Gateway | None:
        """
        Ask the one that a client is for. Who was asked, if that was possible.

        @param client: its address.
        @param data: as L{brought<gateway.kernel.handshake.words.brought>} writes it.
        """
        gateway = self._chosen(client, number)
        told = gateway is not None and self._do(gateway, lambda to: hand(to, data, descriptors))
        return gateway if told else None

    def tell(self, client: bytes, said: Message) -> None:
        """Tell the one that a client would be for."""
        gateway = self._chosen(client, 0)
        if gateway is not None:
            self._tell(gateway, said)

    def _chosen(self, client: bytes, number: int) -> Gateway | None:
        if not self._alive:
            return None
        if self._by_client:
            return self._wanting[by_client(client, self._count, self._alive)]
        return self._wanting[by_connection(number, self._alive)]

    def _hear(self, gateway: Gateway) -> None:
        """Everything that it has said by now."""
        try:
            while gateway in self._all:
                # descriptors that come with it are closed by the kernel
                data = gateway.connection.recv(LONGEST)
                if not data:
                    self._lose(gateway)
                    return
                self._understand(gateway, data)
        except BlockingIOError:
            pass
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            self._lose(gateway)

    def _understand(self, gateway: Gateway, data: bytes) -> None:
        """
        @raise ValueError: a gateway says nothing like that.
        """
        answer = read_decided(data)
        if answer is not None:
            self._decided(*answer)
            return
        said = parsed(data)
        if "leaves" in said:
            self._forget(gateway)
            self._tell(gateway, {"left": True})
        else:
            self._serve(gateway, int(said["worker"]), int(said["of"]), said["steer"])

    def _serve(self, gateway: Gateway, index: int, count: int, steer: str) -> None:
        """
        @raise ValueError: there is no such worker.
        """
        if not 0 <= index < count <= MOST:
            raise ValueError("no such worker")
        former = self._wanting.get(index)
        if former is not None and former is not gateway:
            self._lose(former)
        gateway.index = index
        self._count = count
        self._by_client = steer == "client"
        self._set({**self._wanting, index: gateway})

    def _tell(self, gateway: Gateway, said: Message) -> bool:
        """Whether it can take that now."""
        return self._do(gateway, lambda to: send(to, said))

    def _do(self, gateway: Gateway, sent: Callable[[socket.socket], object]) -> bool:
        """Send something. Whether it can take that now."""
        try:
            sent(gateway.connection)
        except BlockingIOError:
            return False
        except OSError:
            self._lose(gateway)
            return False
        return True

    def _lose(self, gateway: Gateway) -> None:
        """It is gone."""
        if gateway in self._all:
            self._all.remove(gateway)
            self._selector.unregister(gateway.connection)
            gateway.connection.close()
            self._forget(gateway)
            self._gone(gateway)

    def close(self) -> None:
        """Serve them no more."""
        for gateway in tuple(self._all):
            self._lose(gateway)

    def _forget(self, gateway: Gateway) -> None:
        """It wants nobody any more."""
        index, gateway.index = gateway.index, None
        if index is not None:
            self._set({each: one for each, one in self._wanting.items() if each != index})

    def _set(self, wanting: dict[int, Gateway]) -> None:
        self._wanting = wanting
        # of a generation with more workers, some may not have left yet
        self._alive = tuple(sorted(each for each in wanting if each < self._count))
        self._changed()

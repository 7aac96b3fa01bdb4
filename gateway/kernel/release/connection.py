"""The carrier's end of a connection to a process of a gateway."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from gateway.kernel.packets import receive, send
from gateway.kernel.sockets import Socket

AT_ONCE = 32
"""Requests of one process that are answered before it is others' turn."""

Message = dict[str, Any]


class Lost(Exception):
    """The process is gone, or says what no gateway says."""


class Connection:
    """
    What is told waits here, as long as the process does not listen.

    @param answer: answers a request, with the sockets that came with it.
    @param lost: called when the connection is over, with what was not told.
    @param most: so many messages wait; when there are more, the process is lost.
    """

    def __init__(
        self,
        sock: socket.socket,
        selector: selectors.BaseSelector,
        answer: Callable[[Message, list[Socket]], Message | None],
        lost: Callable[[Iterable[Message]], object],
        most: int,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._selector = selector
        self._answer = answer
        self._lost = lost
        self._most = most
        self._told: deque[Message] = deque()
        self._over = False
        selector.register(sock, selectors.EVENT_READ, self.ready)

    def tell(self, message: Message) -> None:
        """Tell it something, as soon as it listens. Who never does is lost in the end."""
        self._told.append(message)
        self._flush()
        if len(self._told) > self._most:
            # seen by who reads, though it says nothing
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def _flush(self) -> None:
        try:
            while self._told and not self._over:
                send(self._sock, self._told[0])
                self._told.popleft()
        except BlockingIOError:
            self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)
        except OSError:
            # seen by who reads: whoever tells is in the midst of something
            self._watch(selectors.EVENT_READ)
        else:
            self._watch(selectors.EVENT_READ)

    def _watch(self, events: int) -> None:
        if not self._over and self._selector.get_key(self._sock).events != events:
            self._selector.modify(self._sock, events, self.ready)

    def ready(self) -> None:
        """It listens, or has asked something, or is gone."""
        self._flush()
        try:
            if len(self._told) > self._most:
                raise Lost
            for _ in range(AT_ONCE):
                self._answer_one()
        except BlockingIOError:
            pass
        except (Lost, EOFError, OSError, ValueError):
            self.close()

    def _answer_one(self) -> None:
        message, descriptors = receive(self._sock)
        sockets: list[Socket] = [socket.socket(fileno=each) for each in descriptors]
        try:
            answer = self._answer(message, sockets)
        finally:
            for sock in sockets:
                sock.close()
        if answer is not None:
            self.tell(answer)

    def close(self) -> None:
        """It is over."""
        self._over = True
        self._selector.unregister(self._sock)
        self._sock.close()
        told, self._told = self._told, deque()
        self._lost(told)

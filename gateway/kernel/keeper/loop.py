"""The Loop: what the kernel tells comes first, and then whoever asks."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gateway.kernel.changes import Changes
from gateway.kernel.keeper.packets import receive, send
from gateway.kernel.keeper.watch import Watch

Answer = Callable[[dict[str, Any]], dict[str, Any] | None]

ORPHAN_SECONDS = 1.0
"""How often it is looked whether the supervisor is still there: it may be killed, too."""


class Loop:
    """
    Serves connections and watches the kernel, all in one thread.

    @param answer: answers a request.
    """

    def __init__(self, answer: Answer, watch: Watch, changes: Changes) -> None:
        self._answer = answer
        self._watch = watch
        self._supervisor = os.getppid()
        self._selector = selectors.DefaultSelector()
        self._connections: set[socket.socket] = set()
        self._accepted: set[socket.socket] = set()
        self._listening = False
        for news in (changes.filter, changes.routing):
            self._selector.register(news, selectors.EVENT_READ, watch.hear)

    def accept_at(self, listener: socket.socket) -> None:
        """Serve whoever connects to C{listener}, for ever."""
        self._listening = True
        listener.setblocking(False)

        def accept() -> None:
            with suppress(BlockingIOError):
                connection, _ = listener.accept()
                self._accepted.add(connection)
                self.serve(connection)

        self._selector.register(listener, selectors.EVENT_READ, accept)

    def serve(self, connection: socket.socket) -> None:
        """Answer on C{connection} until it ends, or something comes that no gateway sends."""
        connection.setblocking(True)
        self._connections.add(connection)
        self._selector.register(
            connection, selectors.EVENT_READ, lambda: self._serve_one(connection)
        )

    def run(self) -> bool:
        """
        Go on as long as there is somebody to serve.

        @return: whether there is nobody; if there is, the supervisor is dead.
        """
        try:
            while self._connections or self._listening:
                self._turn()
                if os.getppid() != self._supervisor:
                    return False
            return True
        finally:
            self._selector.close()
            # who takes our place knows nothing of them; their other ends connect again
            for connection in self._accepted:
                connection.close()

    def _turn(self) -> None:
        for key, _ in self._selector.select(min(self._watch.seconds, ORPHAN_SECONDS)):
            key.data()
        if not self._watch.seconds:
            self._watch.look()

    def _serve_one(self, connection: socket.socket) -> None:
        """One request."""
        try:
            answer = self._answer(receive(connection))
            if answer is not None:
                send(connection, answer)
                return
        except (EOFError, OSError, ValueError):
            pass
        self._selector.unregister(connection)
        self._connections.discard(connection)
        self._accepted.discard(connection)
        connection.close()

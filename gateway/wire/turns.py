"""Turns: so many at one time of one kind for each client; more have to wait."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, succeed


class Turns:
    """
    Lets so many begin for each client's address, and the others one after the other.

    How many may wait is for somebody else to say: sessions are counted.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._going: dict[str, int] = {}
        self._waiting: dict[str, deque[Deferred[None]]] = {}

    def begin(self, client: str) -> Deferred[None]:
        """Fires when it may begin. Cancelled, it needs no L{end}."""
        going = self._going.get(client, 0)
        if going < self.most:
            self._going[client] = going + 1
            return succeed(None)
        turn: Deferred[None] = Deferred()
        self._waiting.setdefault(client, deque()).append(turn)
        return turn

    def end(self, client: str) -> None:
        """One is over: the next one may begin."""
        waiting = self._waiting.get(client)
        while waiting:
            turn = waiting.popleft()
            if not waiting:
                del self._waiting[client]
            if not turn.called:
                turn.callback(None)
                return
        going = self._going[client] - 1
        if going:
            self._going[client] = going
        else:
            del self._going[client]

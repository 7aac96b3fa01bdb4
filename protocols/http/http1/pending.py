"""Pending: whose answers are still to come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from twisted.internet.defer import Deferred

from protocols.http.transaction import Transaction


class Pending:
    """
    Transactions that are not answered to their end.

    @ivar queue: they, in the order of their requests.
    @ivar spare: so many of them are answered for now: the client asks for more of them.
    """

    __slots__ = ("_most", "_waiting", "queue", "spare")

    def __init__(self) -> None:
        self.queue: deque[Transaction] = deque()
        self.spare = 0
        self._waiting: Deferred[None] | None = None
        self._most = 0

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self.queue)

    @property
    def oldest(self) -> Transaction | None:
        """The one that the next response is for."""
        return self.queue[0] if self.queue else None

    def add(self, transaction: Transaction) -> None:
        """Its request is about to be sent."""
        self.queue.append(transaction)

    def remove(self) -> None:
        """The oldest one was answered. L{wake} has to be called as soon as all is done for it."""
        self.queue.popleft()

    def __len__(self) -> int:
        return len(self.queue)

    async def at_most(self, count: int) -> None:
        """Wait until no more than so many are there."""
        while len(self.queue) - self.spare > count:
            self._most = count
            self._waiting = Deferred()
            await self._waiting

    @property
    def awaited(self) -> bool:
        """Whether anybody waits in L{at_most}."""
        return self._waiting is not None

    def wake(self) -> None:
        """Let go on who waits. The last thing to do: what it does may end the session."""
        if self._waiting is not None and len(self.queue) - self.spare <= self._most:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

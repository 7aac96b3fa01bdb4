"""Heard: what a daemon says, for a coroutine that reads it with the words of L{Reader}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from gateway.inspector import CutOff, Reader
from gateway.inspector.reader import TURN
from gateway.interfaces import SERVER
from gateway.tools import ILine


def either(one: Deferred[Any], other: Deferred[Any]) -> Deferred[None]:
    """Fires when one of the two does; what comes of them is somebody else's."""
    waiting: Deferred[None] = Deferred()

    def fire(result: Any) -> Any:
        if not waiting.called:
            waiting.callback(None)
        return result

    one.addBoth(fire)
    other.addBoth(fire)
    return waiting


class Heard(Reader):
    """
    What is said on a line.

    It listens from the beginning on: a daemon may answer while it is still being sent to.
    """

    __slots__ = ("_line", "_next")

    def __init__(self, line: ILine) -> None:
        super().__init__(SERVER)
        self._line = line
        self._next: Deferred[bytes] = line.read()

    @property
    def spoke(self) -> bool:
        """Whether there is something to read, or nothing will be any more."""
        return not self.empty or self._next.called

    async def room(self) -> None:
        """Wait until the daemon has taken nearly all of what it was sent, or says something."""
        flushed = self._line.flushed()
        if flushed.called or self.spoke:
            return
        await either(flushed, self._next)

    def leave(self) -> bool:
        """
        Listen no more.

        @return: whether nothing is left over.
        """
        quiet = self.empty and not self._next.called
        self._next.addErrback(lambda _: None)
        self._next.cancel()
        return quiet

    async def _wait(self) -> None:  # type: ignore[override]
        if self.ended:
            raise CutOff("it ended in the middle of an answer")
        data = await self._next
        if data:
            self.feed(data)
            self._next = self._line.read()
        else:
            self.end()

    async def _give_way(self) -> None:  # type: ignore[override]
        """Nobody else waits: what a daemon says at once is bounded."""
        self.left = TURN

"""StreamInspector: a protocol as one C{async def} for each direction."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import Deferred

from gateway.inspector.direction import Direction
from gateway.inspector.inspector import Inspector
from gateway.inspector.reader import Reader
from gateway.interfaces import CLIENT, SERVER, ISession, Side, Verdict


class StreamInspector(Inspector):
    """
    One coroutine for each direction. A direction that is not written is
    relayed at no cost.

    A coroutine begins to run when its side first sends something, or ends. It
    may await its L{Reader}, and any Deferred: a decision. Its side is not read
    until the decision is there; the other side goes on. When the session is
    closed, a coroutine that waits is closed (C{finally} runs), and the Deferred
    it awaits is cancelled.
    """

    _written: ClassVar[dict[Side, bool]] = {CLIENT: False, SERVER: False}

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._written = {
            CLIENT: cls.from_client is not StreamInspector.from_client,
            SERVER: cls.from_server is not StreamInspector.from_server,
        }

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self._directions: dict[Side, Direction] = {}
        self._released = False

    # To be written

    async def from_client(self, read: Reader) -> None:
        """
        What the client sends. Here: relayed, so C{await
        super().from_client(read)} relays the rest.

        @raise Denied: the client, or the policy, or both, are not to have it.
        """
        while await read.more():
            self.session.send(SERVER, await read.some())

    async def from_server(self, read: Reader) -> None:
        """What the server sends; see L{from_client}."""
        while await read.more():
            self.session.send(CLIENT, await read.some())

    def reads(self, side: Side) -> bool:
        """Whether the coroutine of a side waits for more of it, and not for a decision."""
        direction = self._directions.get(side)
        return direction is not None and direction.reads

    def unread(self, side: Side) -> int:
        """How many bytes of a side have come that its coroutine has not read."""
        direction = self._directions.get(side)
        return 0 if direction is None else direction.read.unread

    # To be asked, in place of the session's own

    def release(self) -> None:
        """
        Nothing is left to inspect: what is unread, and all that follows, passes
        in both directions. Neither coroutine reads anything more.
        """
        self._released = True
        directions, self._directions = self._directions, {}
        for direction in directions.values():
            direction.release()
        self.session.release()

    def hand_over(self, service: str) -> None:
        """
        The rest of this session is for the inspector of another service, which
        gets what is unread. Neither coroutine reads anything more.
        """
        directions, self._directions = self._directions, {}
        self._released = True
        unread = {side: each.read.rest() for side, each in directions.items()}
        self.session.hand_over(service, unread)
        for direction in directions.values():
            direction.leave()

    def begin_again(self, side: Side) -> None:
        """
        Somebody else takes the place of a side that has ended, or was lost (1.1): what is unread of
        it is forgotten, and its coroutine begins anew when the new one first sends something.
        """
        direction = self._directions.pop(side, None)
        if direction is not None:
            direction.leave()

    # Told by the session

    def received(self, side: Side, data: bytes) -> Deferred[Any] | None:
        """Run the side's coroutine until it needs more, or relay."""
        direction = self._directions.get(side) or self._direction(side)
        return super().received(side, data) if direction is None else direction.received(data)

    def ended(self, side: Side) -> Deferred[Any] | None:
        """Let the side's coroutine end, and pass the half-close on."""
        direction = self._directions.get(side) or self._direction(side)
        return super().ended(side) if direction is None else direction.ended()

    def closed(self, verdict: Verdict) -> None:
        """Close the coroutines. A subclass that has its own must call this one too."""
        if not self._directions:
            return
        client, server = self._directions.get(CLIENT), self._directions.get(SERVER)
        for direction in (client, server):
            if direction is not None:
                direction.over = True  # before the end of one can be what the other awaits
        self._directions = {}  # what waits for a decision may know this inspector: no circle
        try:
            if server is not None:
                server.close()
        finally:
            if client is not None:
                client.close()

    def _direction(self, side: Side) -> Direction | None:
        """The coroutine and reader of a side; C{None} if it is just relayed."""
        if self._released or not self._written[side]:
            return None
        start = self.from_client if side is CLIENT else self.from_server
        direction = self._directions[side] = Direction(side, self.session, start)
        return direction

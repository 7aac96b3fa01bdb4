"""Released: a session that only the program has to do with."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from attrs import frozen

from gateway.interfaces import Address
from gateway.kernel.release.layout import Direction, Mode, Seen, tuple_of
from gateway.kernel.release.stories import Story
from gateway.kernel.release.table import Table

SILENCE = 2.0
"""Seconds without a packet, after which a reset is believed: a forged one changes nothing."""

_NANOSECONDS = 1e9

Reset = Callable[[Address, Address, int], None]
"""Resets the end at the second address in the name of the first; with what it expects next."""


class How(Enum):
    """How a released session ended."""

    PASSED = "passed"
    RESET = "reset"
    IDLE = "idle"
    KILLED = "killed"


@frozen
class Count:
    """
    What the program has carried of a session.

    @ivar bytes_to_server: each byte once.
    @ivar heard: seconds of the monotonic clock at its last packet; 0: none yet.
    """

    bytes_to_server: int
    bytes_to_client: int
    packets: int
    heard: float


class Released:
    """
    One session.

    @ivar since: seconds of the monotonic clock, when its old sockets left it.
    """

    def __init__(self, table: Table, index: int, story: Story, since: float) -> None:
        self._table = table
        self.index = index
        self.story = story
        self.since = since

    @property
    def count(self) -> Count:
        """What it has carried so far."""
        client, server = self._sides()
        heard = max(client.heard, server.heard) / _NANOSECONDS
        counted = zip((client, server), self.story.doubled, strict=True)
        there, back = (_bytes(direction) - doubled for direction, doubled in counted)
        return Count(there, back, client.packets + server.packets, heard)

    @property
    def active(self) -> float:
        """When something last happened."""
        return max(self.since, self.count.heard)

    def how(self, now: float) -> How | None:
        """
        How it has ended; C{None}: it has not.

        A reset behind the ends of both sides is the answer to a last packet that was lost, and
        sent again to who had closed already.
        """
        if self.is_reset:
            if all(self._said(side) for side in (0, 1)):
                return How.PASSED
            return How.RESET if self.is_again or now - self.active >= SILENCE else None
        ended = all(
            self._table.seen(self.index, side) & Seen.FIN_ACK or self._ended(1 - side)
            for side in (0, 1)
        )
        return How.PASSED if ended else None

    def _said(self, side: int) -> bool:
        """Whether the sender of a direction has ended it."""
        return bool(self._table.seen(self.index, side) & Seen.FIN) or self._ended(side)

    def _ended(self, side: int) -> bool:
        """Whether the end of a direction was an old socket's, and so acknowledged long since."""
        return self._table.ended(self.index, side)

    @property
    def is_reset(self) -> bool:
        """Whether one of its peers has reset it, or somebody who forges addresses."""
        table, index = self._table, self.index
        return bool((table.seen(index, 0) | table.seen(index, 1)) & Seen.RESET)

    @property
    def reset_by(self) -> str:
        """Which of its peers has reset it, as it seems."""
        return "client" if self._table.seen(self.index, 0) & Seen.RESET else "server"

    def is_idle(self, now: float) -> bool:
        """Whether nothing has come for too long."""
        return bool(self.story.idle) and now - self.active >= self.story.idle

    @property
    def is_again(self) -> bool:
        """Whether the client has begun something new from the same port."""
        return self._table.mode(self.index) is Mode.FREE

    def stop(self) -> None:
        """From now on nothing passes; what the peers expect is noted."""
        self._table.set_mode(self.index, Mode.KILL)

    def reset(self, reset: Reset) -> None:
        """Reset both ends. To be repeated, since one that was just sent something expects more."""
        ends = self.story.ends
        client, server = self._sides()
        reset(ends.server, ends.client, _expected(client))
        reset(ends.source, ends.server, _expected(server))

    def forget(self) -> None:
        """Its packets are ordinary ones again, and its ports may be used."""
        ends = self.story.ends
        self._table.set_mode(self.index, Mode.FREE)
        self._table.remove_flow(tuple_of(ends.client, ends.server))
        self._table.remove_flow(tuple_of(ends.server, ends.source))
        self._table.give_back(self.index)

    def _sides(self) -> tuple[Direction, Direction]:
        return self._table.direction(self.index, 0), self._table.direction(self.index, 1)


def _bytes(direction: Direction) -> int:
    return direction.carried - bool(direction.seen & Seen.FIN)


def _expected(direction: Direction) -> int:
    """What the sender of a direction expects next."""
    if direction.seen & Seen.PACKET:
        return direction.acknowledged
    return direction.own_end

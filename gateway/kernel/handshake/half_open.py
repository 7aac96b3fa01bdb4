"""HalfOpen: connections whose ends are shaking hands."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property

from attrs import define

from gateway.interfaces import Address
from gateway.kernel.handshake.segment import Glance, Key, Segment, Unreadable, read

_MASK = 0xFFFFFFFF


@define
class _Opening:
    """A SYN, and its answer if there was one; and the numbers of what comes after either."""

    first: bytes
    after_first: int
    answer: bytes = b""
    after_answer: int = 0


class Agreed:
    """
    What two ends have said to each other.

    @ivar key: of the connection.
    @ivar first: the client's SYN.
    @ivar answer: the server's SYN-ACK.
    @ivar last: the client's first segment after that, perhaps with data.
    """

    def __init__(self, key: Key, first: Segment, answer: Segment, last: Segment) -> None:
        self.key = key
        self.first = first
        self.answer = answer
        self.last = last

    @cached_property
    def client(self) -> Address:
        """Who has begun."""
        return self.last.sender

    @cached_property
    def server(self) -> Address:
        """Who has answered."""
        return self.last.receiver

    @property
    def scaled(self) -> bool:
        """Whether both know scaled windows."""
        return self.first.scale is not None and self.answer.scale is not None

    @property
    def sack(self) -> bool:
        """Whether both know selective acknowledgements."""
        return self.first.sack and self.answer.sack

    @property
    def stamped(self) -> bool:
        """Whether both have timestamps."""
        return self.first.stamp is not None and self.answer.stamp is not None


class HalfOpen:
    """
    They are known from the SYN on, and forgotten when they are taken. Packets are kept as they
    are: of most SYNs there may be nothing more to be known.

    @param most: how many; the oldest one goes for a new one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._openings: OrderedDict[Key, _Opening] = OrderedDict()

    def __len__(self) -> int:
        return len(self._openings)

    def begin(self, seen: Glance, packet: bytes) -> None:
        """A client has sent a SYN, perhaps once more."""
        after = seen.sequence + 1 & _MASK
        known = self._openings.get(seen.key)
        if known is not None and known.after_first == after:
            return
        self._openings[seen.key] = _Opening(packet, after)
        self._openings.move_to_end(seen.key)
        if len(self._openings) > self._most:
            self._openings.popitem(last=False)

    def answer(self, seen: Glance, packet: bytes) -> bool:
        """Whether that is the answer to a SYN that is known."""
        opening = self._openings.get(seen.key)
        if opening is None or seen.acknowledged != opening.after_first:
            return False
        opening.answer, opening.after_answer = packet, seen.sequence + 1 & _MASK
        return True

    def agreed(self, seen: Glance, packet: bytes) -> Agreed | None:
        """What C{packet} completes, if it does, and if all that was said can be read."""
        opening = self._openings.get(seen.key)
        if opening is None or not opening.answer:
            return None
        if (seen.sequence, seen.acknowledged) != (opening.after_first, opening.after_answer):
            return None
        try:
            return Agreed(seen.key, *map(read, (opening.first, opening.answer, packet)))
        except Unreadable:
            self.forget(seen.key)
            return None

    def forget(self, key: Key) -> None:
        """It is over, or taken."""
        self._openings.pop(key, None)

"""HalfOpen: connections whose ends are shaking hands."""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, frozen

from gateway.kernel.handshake.segment import Key, Segment


@define
class _Opening:
    """A SYN, and its answer if there was one."""

    first: Segment
    answer: Segment | None = None


@frozen
class Agreed:
    """
    What two ends have said to each other.

    @ivar first: the client's SYN.
    @ivar answer: the server's SYN-ACK.
    @ivar last: the client's first segment after that, perhaps with data.
    """

    first: Segment
    answer: Segment
    last: Segment

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
    They are known from the SYN on, and forgotten when they are taken.

    @param most: how many; the oldest one goes for a new one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._openings: OrderedDict[Key, _Opening] = OrderedDict()

    def __len__(self) -> int:
        return len(self._openings)

    def begin(self, first: Segment) -> None:
        """A client has sent a SYN, perhaps once more."""
        key = first.key
        known = self._openings.get(key)
        if known is not None and known.first.sequence == first.sequence:
            return
        self._openings[key] = _Opening(first)
        self._openings.move_to_end(key)
        if len(self._openings) > self._most:
            self._openings.popitem(last=False)

    def answer(self, answer: Segment) -> bool:
        """Whether that is the answer to a SYN that is known."""
        opening = self._openings.get(answer.key)
        if opening is None or answer.acknowledged != opening.first.next:
            return False
        opening.answer = answer
        return True

    def agreed(self, last: Segment) -> Agreed | None:
        """What C{last} completes, if it does."""
        opening = self._openings.get(last.key)
        if opening is None or opening.answer is None:
            return None
        if (last.sequence, last.acknowledged) != (opening.first.next, opening.answer.next):
            return None
        return Agreed(opening.first, opening.answer, last)

    def forget(self, key: Key) -> None:
        """It is over, or taken."""
        self._openings.pop(key, None)

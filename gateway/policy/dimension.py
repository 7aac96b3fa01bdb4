"""
One dimension of the rules' products, cut at every boundary that some rule names.

Within a piece all numbers are alike: the same rules cover them. So a piece has
one bit mask, with bit I{n} set if rule I{n} covers it. Looking a number up is
one bisection. What a rule has to do with all the others in this dimension is
found from the same masks: their OR over its pieces is who overlaps it, their
AND is who covers it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from functools import cached_property, reduce
from operator import and_, itemgetter, or_

from gateway.policy.spans import Spans

FAN = 16
"""Masks that are joined into one of the next level, to fold long runs of pieces quickly."""

Levels = list[list[int]]


class Dimension:
    """
    Who covers which number.

    C{cuts} holds where each piece begins, C{masks} which rules cover it. Equal
    masks are one object: a hundred thousand networks in a few zones cost a few
    masks.
    """

    def __init__(self, spans_of_rules: Iterable[Spans]) -> None:
        """
        @param spans_of_rules: what rule 0, 1, … covers.
            Rules with the same object are taken together.
        """
        self.cuts: list[int] = [0]
        self.masks: list[int] = [0]
        self._sweep(_boundaries(_gathered(spans_of_rules)))

    def _sweep(self, boundaries: Iterable[tuple[int, int]]) -> None:
        """Walk over all boundaries with a running mask."""
        seen: dict[int, int] = {}
        running = 0
        for position, mask in boundaries:
            running ^= mask
            if position != self.cuts[-1]:
                self.masks[-1] = seen.setdefault(self.masks[-1], self.masks[-1])
                self.cuts.append(position)
                self.masks.append(running)
            else:
                self.masks[-1] = running

    def at(self, number: int) -> int:
        """The mask of the rules that cover C{number}."""
        return self.masks[bisect_right(self.cuts, number) - 1]

    def overlap(self, spans: Spans) -> int:
        """
        The mask of the rules that share a number with C{spans}.

        @param spans: bounded by cuts, like those of a rule or of what several share.
        """
        return self._fold(spans, self._any_of, or_, 0)

    def cover(self, spans: Spans) -> int:
        """The mask of the rules that cover all of C{spans}, which are not empty."""
        return self._fold(spans, self._all_of, and_, -1)

    @cached_property
    def _any_of(self) -> Levels:
        return _levels(self.masks, or_)

    @cached_property
    def _all_of(self) -> Levels:
        return _levels(self.masks, and_)

    def _fold(
        self, spans: Spans, levels: Levels, join: Callable[[int, int], int], start: int
    ) -> int:
        result = start
        for first, end in spans:
            low, high = bisect_left(self.cuts, first), bisect_left(self.cuts, end)
            result = _fold_run(levels, low, high, join, result)
        return result


def _gathered(spans_of_rules: Iterable[Spans]) -> Iterable[tuple[Spans, int]]:
    """Each set of spans once, with the mask of the rules that have it."""
    masks: dict[int, tuple[Spans, list[int]]] = {}
    for index, spans in enumerate(spans_of_rules):
        if spans:
            masks.setdefault(id(spans), (spans, []))[1].append(index)
    return [(spans, mask_of(indexes)) for spans, indexes in masks.values()]


def mask_of(indexes: Iterable[int]) -> int:
    """The mask that has these bits."""
    octets = bytearray()
    for index in indexes:
        if index >> 3 >= len(octets):
            octets.extend(bytes((index >> 3) - len(octets) + 1))
        octets[index >> 3] |= 1 << (index & 7)
    return int.from_bytes(octets, "little")


def bits_of(mask: int) -> Iterable[int]:
    """The bits of a mask, the lowest first."""
    octets = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    return (
        position * 8 + bit
        for position, octet in enumerate(octets)
        if octet
        for bit in range(8)
        if octet >> bit & 1
    )


def lowest(mask: int) -> int:
    """The lowest bit of a mask that is not 0."""
    return (mask & -mask).bit_length() - 1


def _boundaries(members: Iterable[tuple[Spans, int]]) -> list[tuple[int, int]]:
    """Where masks change, in order, and by which bits."""
    found = [(edge, mask) for spans, mask in members for span in spans for edge in span]
    found.sort(key=itemgetter(0))
    return found


def _levels(masks: list[int], join: Callable[[int, int], int]) -> Levels:
    """C{masks}, then joins of L{FAN} of them, then joins of those, down to one."""
    levels = [masks]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append(
            [reduce(join, below[start : start + FAN]) for start in range(0, len(below), FAN)]
        )
    return levels


def _fold_run(
    levels: Levels, low: int, high: int, join: Callable[[int, int], int], result: int
) -> int:
    """Join the masks of pieces C{low} to C{high - 1}, by whole groups where possible."""
    for level in levels:
        while low < high and low % FAN:
            result = join(result, level[low])
            low += 1
        while low < high and high % FAN:
            high -= 1
            result = join(result, level[high])
        if low >= high:
            break
        low, high = low // FAN, high // FAN
    return result

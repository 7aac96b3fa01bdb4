"""
All rules, sorted into deciding order and compared with each other.

A rule that is narrower than another matches fewer connections. So, sorted by
how many they match, of each two rules only the first can be the narrower one.
Who overlaps and who covers a rule is found for all other rules at once, by the
bit masks of L{Dimension}.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from gateway.policy.dimension import Dimension, lowest, mask_of
from gateway.policy.region import Box, Region, known_interfaces, regions, sizes
from gateway.policy.rule import Rule
from gateway.policy.spans import Family, Spans

REMEMBERED = 1000
"""Masks of sets that several rules have, such as a large zone, that are kept at hand."""


class Ranking:
    """
    Rules in deciding order, and for each the masks of others.

    A mask's bit I{n} is C{rules[n]}. All of them are in C{everybody}.
    """

    def __init__(self, rules: Iterable[Rule], diverted: Iterable[str] = ()) -> None:
        """
        @param diverted: C{divert.interfaces}. Empty: any.
        """
        given = tuple(rules)
        self.interfaces = known_interfaces(given, diverted)
        found = regions(given, self.interfaces)
        ranked = sorted(zip(given, found, sizes(found), strict=True), key=_deciding_order)
        self.rules = tuple(rule for rule, _, _ in ranked)
        self.regions = tuple(region for _, region, _ in ranked)
        self.everybody = below(len(ranked))
        self._families = {family: _Compared(self.regions, family) for family in Family}
        self.equals = _grouped([rule.priority for rule in self.rules])
        """For each rule: those of its priority."""
        self.alike = _grouped([size for _, _, size in ranked])
        """Those that match as many connections: none of them is narrower, one may be equal."""
        self.mates = _grouped([rule.service for rule in self.rules])
        """Those of its service."""

    def higher(self, index: int) -> int:
        """The rules of higher priority."""
        return below(lowest(self.equals[index]))

    def overlaps(self, index: int) -> int:
        """The rules that share a connection with this one."""
        mask = 0
        for family, box in self.regions[index].boxes.items():
            mask |= self._families[family].overlap(box)
        return mask

    def covers(self, index: int) -> int:
        """The rules that match all that this one matches: itself, too."""
        return self.covering(self.regions[index])

    def covering(self, region: Region) -> int:
        """The rules that match all of C{region}, which is a rule's, or what rules share."""
        mask = self.everybody
        for family, box in region.boxes.items():
            mask &= self._families[family].cover(box, mask)
        return mask

    def wider(self, index: int) -> int:
        """The rules that this one is narrower than."""
        return self.covers(index) & ~self.alike[index]

    def beats(self, index: int) -> int:
        """The rules that this one goes before, where both match."""
        lower = self.everybody & ~(self.higher(index) | self.equals[index])
        return self.overlaps(index) & lower | self.wider(index) & self.equals[index]


def _grouped(qualities: Sequence[Hashable]) -> tuple[int, ...]:
    """For each rule the mask of those that share its quality."""
    members: dict[Hashable, list[int]] = {}
    for index, quality in enumerate(qualities):
        members.setdefault(quality, []).append(index)
    masks = {quality: mask_of(indexes) for quality, indexes in members.items()}
    return tuple(masks[quality] for quality in qualities)


class _Compared:
    """The dimensions of all rules in one family."""

    def __init__(self, found: Iterable[Region], family: Family) -> None:
        boxes = [region.boxes.get(family, NO_BOX) for region in found]
        self._dimensions = [Dimension(sets) for sets in zip(*boxes, strict=True)]
        self._known: dict[tuple[str, int, int], tuple[Spans, int]] = {}

    def overlap(self, box: Box) -> int:
        """The rules that share something with a box."""
        masks = [
            self._remember("overlap", n, spans, dimension.overlap)
            for n, (dimension, spans) in enumerate(zip(self._dimensions, box, strict=True))
        ]
        return masks[0] & masks[1] & masks[2] & masks[3]

    def cover(self, box: Box, everybody: int) -> int:
        """The rules that hold all of a box."""
        masks = [
            self._remember("cover", n, spans, dimension.cover)
            for n, (dimension, spans) in enumerate(zip(self._dimensions, box, strict=True))
        ]
        return everybody & masks[0] & masks[1] & masks[2] & masks[3]

    def _remember(
        self, what: str, dimension: int, spans: Spans, find: Callable[[Spans], int]
    ) -> int:
        """
        What C{find} says of a set, asked once as long as it is in demand.

        By identity: to hash a large zone would take as long as to ask. The
        spans are kept with the answer, so that no other set gets their identity.
        """
        key = (what, dimension, id(spans))
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = (spans, find(spans))
        return self._known[key][1]


NO_BOX = Box((), (), (), ())


def below(index: int) -> int:
    """The mask of all rules before C{index}."""
    return (1 << index) - 1


def _deciding_order(ranked: tuple[Rule, Region, int]) -> Any:
    """
    Priority, then narrowness; then by anything that does not depend on where it is written.

    What is equal in all of it means the same.
    """
    rule, region, size = ranked
    boxes = tuple((family.value, box) for family, box in region.boxes.items())
    return (-rule.priority, size, rule.service, boxes, sorted(rule.interfaces), rule.place)

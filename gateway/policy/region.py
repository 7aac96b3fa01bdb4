"""All connections that a rule matches, as boxes of numbers that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from attrs import frozen

from gateway.policy.extent import extents
from gateway.policy.rule import Rule
from gateway.policy.spans import Family, Spans, merged, shared, size


class Box(NamedTuple):
    """A product of sets in one address family. None of them is empty."""

    sources: Spans
    destinations: Spans
    ports: Spans
    interfaces: Spans

    def shared(self, other: Box) -> Box | None:
        """What is in both, if anything is."""
        pairs = zip(self, other, strict=True)
        both = Box(*(mine if mine is its else shared(mine, its) for mine, its in pairs))
        return both if all(both) else None


@frozen
class Region:
    """A rule's box in each family in which it can match."""

    boxes: Mapping[Family, Box]

    def shared(self, other: Region) -> Region:
        """What is in both."""
        families = [family for family in self.boxes if family in other.boxes]
        found = {family: self.boxes[family].shared(other.boxes[family]) for family in families}
        return Region({family: box for family, box in found.items() if box is not None})

    def within(self, other: Region) -> bool:
        """Whether all of it is in the other."""
        return self.shared(other) == self


@frozen
class Interfaces:
    """
    The interfaces that rules can tell apart, numbered.

    C{None} stands for all that no rule names. It is missing if the divert is
    limited to interfaces that rules name, all of them.
    """

    names: tuple[str | None, ...]

    def spans(self, names: frozenset[str]) -> Spans:
        """The numbers of some. An empty set means all, as in a rule."""
        chosen = [n for n, name in enumerate(self.names) if not names or name in names]
        return merged((number, number + 1) for number in chosen)


def known_interfaces(rules: Iterable[Rule], diverted: Iterable[str] = ()) -> Interfaces:
    """
    The interfaces that C{rules} tell apart.

    @param diverted: C{divert.interfaces}. Empty: any.
    """
    limits = frozenset(diverted)
    named = frozenset[str]().union(*(rule.interfaces for rule in rules))
    other = () if limits and limits <= named else (None,)
    return Interfaces((*other, *sorted(named & limits if limits else named)))


def regions(rules: Sequence[Rule], interfaces: Interfaces) -> list[Region]:
    """The regions of C{rules}. Equal spans in them are the same object."""
    spans = {names: interfaces.spans(names) for names in {rule.interfaces for rule in rules}}
    found = []
    for extent in extents(rules):
        rest = (extent.ports, spans[extent.interfaces])
        boxes = {
            family: Box(area.sources, area.destinations, *rest)
            for family, area in extent.areas.items()
            if all(rest)
        }
        found.append(Region(boxes))
    return found


def sizes(found: Sequence[Region]) -> list[int]:
    """How many connections there are in each. Sets that are the same object are counted once."""
    sets = {id(spans): spans for each in found for box in each.boxes.values() for spans in box}
    counts = {identity: size(spans) for identity, spans in sets.items()}
    return [
        sum(prod(counts[id(spans)] for spans in box) for box in each.boxes.values())
        for each in found
    ]

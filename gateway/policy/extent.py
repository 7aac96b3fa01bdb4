"""What each rule covers, dimension by dimension, in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

from gateway.policy.rule import Rule
from gateway.policy.spans import Family, Spans, address_spans, port_spans
from gateway.policy.zone import Network


@frozen
class Area:
    """The addresses that a rule covers in one family: neither set is empty, or both are."""

    sources: Spans
    destinations: Spans


NO_AREA = Area((), ())


@frozen
class Extent:
    """
    One rule as a product of sets of numbers.

    C{areas} lacks a family in which the rule can't match: its sources or its
    destinations are of the other family only. An empty C{interfaces} means any.
    """

    areas: Mapping[Family, Area]
    ports: Spans
    interfaces: frozenset[str]


@define
class _Interned:
    """
    Makes spans once for each set of networks, and keeps one object of equal ones.

    Rules share large zones. Tuples of networks are told apart by identity
    because to hash a hundred thousand networks for each rule takes too long.
    """

    _addresses: dict[tuple[int, Family], Spans] = field(factory=dict)
    _spans: dict[Spans, Spans] = field(factory=dict)

    def one(self, spans: Spans) -> Spans:
        """The one object that stands for all spans equal to these."""
        return self._spans.setdefault(spans, spans)

    def addresses(self, networks: tuple[Network, ...], family: Family) -> Spans:
        """L{address_spans}, each done once."""
        key = (id(networks), family)
        if key not in self._addresses:
            self._addresses[key] = self.one(address_spans(networks, family))
        return self._addresses[key]


def extents(rules: Iterable[Rule]) -> list[Extent]:
    """The extents of C{rules}. Equal spans in them are the same object."""
    interned = _Interned()
    kept = tuple(rules)  # keeps the networks alive, whose identities are used
    return [_extent(rule, interned) for rule in kept]


def _extent(rule: Rule, interned: _Interned) -> Extent:
    areas = {}
    for family in Family:
        sources = interned.addresses(rule.sources, family)
        destinations = interned.addresses(rule.destinations, family)
        if sources and destinations:
            areas[family] = Area(sources, destinations)
    return Extent(areas, interned.one(port_spans(rule.ports, rule.protocol)), rule.interfaces)

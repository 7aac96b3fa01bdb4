"""
Which rule wins, at a cost that hardly depends on how many rules there are.

Each dimension of the rules' products (source, destination, protocol and port,
interface) is cut at every boundary that some rule names. Within one of the
resulting pieces all addresses are alike: the same rules match. So each piece
has one bit mask, with bit I{n} set if rule I{n} matches there. A connection is
looked up in every dimension by bisection, the masks are ANDed, and the lowest
bit that is left is the first matching rule. (Lakshman and Stiliadis, "High-speed
policy-based packet forwarding using efficient multi-dimensional range
matching", SIGCOMM 1998.)
"""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET, AF_INET6, inet_pton

from gateway.policy.connection import Connection
from gateway.policy.dimension import Dimension, bits_of, lowest, mask_of
from gateway.policy.extent import NO_AREA, Area, Extent, extents
from gateway.policy.rule import Rule
from gateway.policy.spans import Family, port_number

MAPPED = 0xFFFF
"""What precedes the IPv4 address in an IPv4-mapped IPv6 one (RFC 4291, section 2.5.5.2)."""


def read_address(host: str) -> tuple[Family, int]:
    """
    The family and the number of an address.

    An IPv4-mapped one is an IPv4 address. A scope, as in C{fe80::1%lan0}, does not matter.

    @raise ValueError: it is not an address.
    """
    try:
        if ":" not in host:
            return Family.V4, int.from_bytes(inet_pton(AF_INET, host), "big")
        number = int.from_bytes(inet_pton(AF_INET6, host.partition("%")[0]), "big")
    except OSError:
        raise ValueError(f"{host!r} is not an IP address") from None
    if number >> 32 == MAPPED:
        return Family.V4, number & 0xFFFFFFFF
    return Family.V6, number


MOST_KNOWN = 4096
"""Answers that are kept. The same clients go to the same servers again and again."""


class Classifier:
    """Finds the first rule that matches, in the order the rules are given in."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self._known: dict[object, Rule | None] = {}
        found = extents(rules)
        self._addresses = {family: _dimensions(found, family) for family in Family}
        self._ports = Dimension(extent.ports for extent in found)
        self._other, self._interfaces = _interfaces(found)

    def first(self, connection: Connection) -> Rule | None:
        """
        The first rule that matches, or C{None}.

        @raise ValueError: an address of the connection is none.
        """
        source, destination, protocol, interface = connection
        question = source.host, destination, protocol, interface
        try:
            return self._known[question]
        except KeyError:
            pass
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        rule = self._known[question] = self.look_up(connection)
        return rule

    def look_up(self, connection: Connection) -> Rule | None:
        """The same as L{first}, whether the answer is known already or not."""
        mask = self._matching(connection)
        return self.rules[lowest(mask)] if mask else None

    def matching(self, connection: Connection) -> tuple[Rule, ...]:
        """All rules that match, in order."""
        return tuple(self.rules[bit] for bit in bits_of(self._matching(connection)))

    def _matching(self, connection: Connection) -> int:
        """The mask of the rules that match."""
        family, source = read_address(connection.source.host)
        other_family, destination = read_address(connection.destination.host)
        if family is not other_family:
            return 0
        sources, destinations = self._addresses[family]
        return (
            destinations.at(destination)
            & sources.at(source)
            & self._ports.at(port_number(connection.protocol, connection.destination.port))
            & self._by_interface(connection.interface)
        )

    def _by_interface(self, name: str | None) -> int:
        """The mask of the rules for an interface. C{None}: for one that no rule names."""
        return self._other if name is None else self._interfaces.get(name, self._other)


def _dimensions(found: list[Extent], family: Family) -> tuple[Dimension, Dimension]:
    """Sources and destinations of one family."""
    areas: list[Area] = [extent.areas.get(family, NO_AREA) for extent in found]
    return (
        Dimension(area.sources for area in areas),
        Dimension(area.destinations for area in areas),
    )


def _interfaces(found: Iterable[Extent]) -> tuple[int, dict[str, int]]:
    """The mask of the rules for any interface, and the masks for those that rules name."""
    for_any: list[int] = []
    for_named: dict[str, list[int]] = {}
    for index, extent in enumerate(found):
        for name in extent.interfaces:
            for_named.setdefault(name, []).append(index)
        if not extent.interfaces:
            for_any.append(index)
    other = mask_of(for_any)
    return other, {name: other | mask_of(indexes) for name, indexes in for_named.items()}

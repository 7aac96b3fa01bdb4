"""
Sets of numbers as sorted, disjoint, half-open spans.

Addresses of one family, ports of both protocols on one axis, and interfaces
by their index are all numbers to whoever decides: the policy, and the kernel as
the policy tells it. A set of networks becomes exactly one tuple of spans however
it was written, so that two sets can be compared by what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from gateway.policy.connection import Protocol
from gateway.policy.rule import PortRange
from gateway.policy.zone import Network

Span = tuple[int, int]
"""The first number, and the one after the last."""

Spans = tuple[Span, ...]
"""Sorted, disjoint, and never touching."""

PORTS = 65536
"""Ports of one protocol. UDP's come after TCP's on the axis of ports."""

EVERY_PORT: Spans = ((0, PORTS),)
"""Of one protocol, on an axis of its own."""

OFFSET = {
    Protocol.TCP: 0,
    Protocol.UDP: PORTS,
    Protocol.ICMP: 2 * PORTS,
    Protocol.OTHER: 2 * PORTS + 1,
}
"""Where each protocol begins on the axis of ports. Those without ports are one number each."""


class Family(Enum):
    """An address family. The value is the IP version."""

    V4 = 4
    V6 = 6

    __hash__ = object.__hash__

    @property
    def bits(self) -> int:
        """The bits of an address."""
        return 32 if self is Family.V4 else 128

    @property
    def everything(self) -> Spans:
        """All addresses of the family."""
        return ((0, 1 << self.bits),)


def merged(spans: Iterable[Span]) -> Spans:
    """The same numbers with overlapping and touching spans joined."""
    result: list[Span] = []
    for first, end in sorted(spans):
        if result and first <= result[-1][1]:
            if end > result[-1][1]:
                result[-1] = (result[-1][0], end)
        else:
            result.append((first, end))
    return tuple(result)


def shared(ours: Spans, theirs: Spans) -> Spans:
    """The numbers that are in both."""
    result: list[Span] = []
    mine, other = 0, 0
    while mine < len(ours) and other < len(theirs):
        first = max(ours[mine][0], theirs[other][0])
        end = min(ours[mine][1], theirs[other][1])
        if first < end:
            result.append((first, end))
        if ours[mine][1] < theirs[other][1]:
            mine += 1
        else:
            other += 1
    return tuple(result)


def size(spans: Spans) -> int:
    """How many numbers there are."""
    return sum(end - first for first, end in spans)


def network_span(network: Network) -> Span:
    """The addresses of one network."""
    first = int(network.network_address)
    return first, first + (1 << (network.max_prefixlen - network.prefixlen))


def address_spans(networks: tuple[Network, ...], family: Family) -> Spans:
    """The addresses of one family in C{networks}. No networks at all mean every address."""
    if not networks:
        return family.everything
    return merged(network_span(each) for each in networks if each.version == family.value)


def port_spans(ports: tuple[PortRange, ...], protocol: Protocol) -> Spans:
    """Ports on the common axis of all protocols."""
    return merged(
        (port_number(protocol, first), port_number(protocol, last) + 1) for first, last in ports
    )


def port_number(protocol: Protocol, port: int) -> int:
    """A port on that axis; whatever it is, for a protocol without ports."""
    return OFFSET[protocol] + (port if protocol.has_ports else 0)


def port_of(number: int) -> tuple[Protocol, int]:
    """What is at a number of that axis."""
    protocol = max((p for p in Protocol if OFFSET[p] <= number), key=OFFSET.__getitem__)
    return protocol, number - OFFSET[protocol]

"""Spans: sets of addresses and ports as sorted, disjoint intervals of whole numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

Span = tuple[int, int]
"""First and last, both included."""

Spans = tuple[Span, ...]

PORTS: Spans = ((0, 65535),)
"""Every port."""


class Family(Enum):
    """An address family. The value is the IP version."""

    V4 = 4
    V6 = 6

    __hash__ = object.__hash__

    @property
    def everything(self) -> Spans:
        """Every address."""
        return ((0, (1 << (32 if self is Family.V4 else 128)) - 1),)


def merged(spans: Iterable[Span]) -> Spans:
    """The same numbers as sorted spans that neither overlap nor touch."""
    result: list[Span] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            if last > result[-1][1]:
                result[-1] = (result[-1][0], last)
        else:
            result.append((first, last))
    return tuple(result)


def network_spans(networks: Iterable[IPv4Network | IPv6Network], family: Family) -> Spans:
    """The addresses of those C{networks} that are of C{family}."""
    return merged(
        (int(network.network_address), int(network.broadcast_address))
        for network in networks
        if network.version == family.value
    )


def holds(spans: Spans, number: int) -> bool:
    """Whether C{number} is in C{spans}."""
    index = bisect_right(spans, number, key=lambda span: span[0])
    return index > 0 and number <= spans[index - 1][1]

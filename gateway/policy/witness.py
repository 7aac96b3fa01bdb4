"""An example: one connection out of many, such as an operator can imagine."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import islice, product

from gateway.interfaces import Address
from gateway.policy.connection import Connection
from gateway.policy.region import Box, Interfaces, Region
from gateway.policy.spans import PORTS, Family, Spans, port_of

CLIENT_PORT = 40000
"""Rules don't look at the client's port."""

TRIES = 16
"""Spans of each set that are tried."""

POINTS = 2000
"""Connections that are tried."""

FAMILIAR = {
    Family.V4: (int(ip_address("198.51.100.7")), int(ip_address("192.0.2.7"))),
    Family.V6: (int(ip_address("2001:db8:2::7")), int(ip_address("2001:db8:1::7"))),
}
"""Addresses for documentation (RFC 5737, RFC 3849): better than 0.0.0.0."""

FAMILIAR_PORTS = (80, 443, PORTS + 53)


def examples(region: Region, interfaces: Interfaces) -> Iterator[Connection]:
    """Connections out of C{region}, the most familiar first; from each corner if there are few."""
    for family in Family:
        if family in region.boxes:
            yield from islice(_points(region.boxes[family], family, interfaces), POINTS)


def _points(box: Box, family: Family, interfaces: Interfaces) -> Iterator[Connection]:
    sources = _numbers(box.sources, FAMILIAR[family])
    destinations = _numbers(box.destinations, FAMILIAR[family][::-1])
    ports = _numbers(box.ports, FAMILIAR_PORTS)
    numbers = [number for span in box.interfaces for number in range(*span)]
    for source, destination, port, interface in product(sources, destinations, ports, numbers):
        protocol, number = port_of(port)
        yield Connection(
            Address(_text(family, source), CLIENT_PORT),
            Address(_text(family, destination), number),
            protocol,
            interfaces.names[interface],
        )


def _numbers(spans: Spans, familiar: tuple[int, ...]) -> list[int]:
    """Familiar ones that are in there; the beginning, and the end, of each span."""
    chosen = [each for each in familiar if any(first <= each < end for first, end in spans)]
    for first, end in spans[:TRIES]:
        chosen += [min(first + 1, end - 1), first, end - 1]
    return list(dict.fromkeys(chosen))


def _text(family: Family, number: int) -> str:
    return str(ip_address(number.to_bytes(family.bits // 8, "big")))

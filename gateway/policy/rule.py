"""A Rule says which connections a service is for."""

from __future__ import annotations

from attrs import field, frozen

from gateway.policy.connection import Protocol
from gateway.policy.place import NOWHERE, Place
from gateway.policy.zone import Network

PortRange = tuple[int, int]
"""First and last port, both included."""

ALL_PORTS: tuple[PortRange, ...] = ((0, 65535),)


@frozen
class Rule:
    """
    A product of sets: interfaces × sources × destinations × ports, of one protocol.

    A C{[[rule]]} for several protocols is as many rules, so that each is compared
    with those of its own protocol only. C{parts} says how many.

    An empty C{interfaces}, C{sources} or C{destinations} means "any". Zones
    are resolved: C{sources} holds networks, C{source_names} is what the file
    says and what the operator is shown. C{at_line} is its place as records and metrics have it,
    which each session is counted for.
    """

    service: str
    sources: tuple[Network, ...] = ()
    destinations: tuple[Network, ...] = ()
    ports: tuple[PortRange, ...] = ALL_PORTS
    protocol: Protocol = Protocol.TCP
    interfaces: frozenset[str] = frozenset()
    priority: int = 0
    source_names: tuple[str, ...] = field(default=(), eq=False)
    destination_names: tuple[str, ...] = field(default=(), eq=False)
    parts: int = field(default=1, eq=False)
    place: Place = field(default=NOWHERE, eq=False)
    at_line: str = field(init=False, eq=False, repr=False)

    @at_line.default
    def _at_line(self) -> str:
        return self.place.at_line

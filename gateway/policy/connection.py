"""A connection as the policy sees it: a question to be decided."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from gateway.interfaces import Address


class Protocol(Enum):
    """What comes behind the IP header. Only TCP and UDP can be inspected."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    """ICMP and ICMPv6."""

    OTHER = "other"
    """Every other one: GRE, ESP, SCTP, …"""

    __hash__ = object.__hash__

    @property
    def has_ports(self) -> bool:
        """Whether rules look at ports."""
        return self in WITH_PORTS


WITH_PORTS = frozenset({Protocol.TCP, Protocol.UDP})

ANY = frozenset(Protocol)
"""Whatever it is."""


class Connection(NamedTuple):
    """
    Who wants to go where.

    C{interface} is the name of the network interface it came in by. C{None}
    means: one that is diverted and that no rule names, which is all that a
    listener knows and all that matters for the decision.
    """

    source: Address
    destination: Address
    protocol: Protocol = Protocol.TCP
    interface: str | None = None

    def __str__(self) -> str:
        on = f" on {self.interface}" if self.interface else ""
        if not self.protocol.has_ports:
            return f"{self.protocol.value} {self.source.host} -> {self.destination.host}{on}"
        return f"{self.protocol.value} {self.source} -> {self.destination}{on}"

"""A connection as the policy sees it: a question to be decided."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from gateway.interfaces import Address


class Protocol(Enum):
    """The transport protocol of a connection."""

    TCP = "tcp"
    UDP = "udp"

    __hash__ = object.__hash__


class Connection(NamedTuple):
    """
    Who wants to go where.

    C{interface} is the name of the network interface it came in by. L{None}
    means: one that is diverted and that no rule names, which is all that a
    listener knows and all that matters for the decision.
    """

    source: Address
    destination: Address
    protocol: Protocol = Protocol.TCP
    interface: str | None = None

    def __str__(self) -> str:
        on = f" on {self.interface}" if self.interface else ""
        return f"{self.protocol.value} {self.source} -> {self.destination}{on}"

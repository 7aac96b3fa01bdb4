"""
What the program and the gateway both write and read: C{program/session.h}, in Python.

Sizes are checked by the compiler there and by a test here. Numbers are in the
machine's byte order, addresses and ports in the network's.
"""

from __future__ import annotations

from enum import IntEnum
from socket import AF_INET, AF_INET6, inet_pton
from struct import Struct
from typing import NamedTuple

from gateway.interfaces import Address


class Mode(IntEnum):
    """How far a session's release has come."""

    FREE = 0
    LEARN = 1
    OVERLAP = 2
    FORWARD = 3
    KILL = 4


class Seen:
    """Bits of what the program has seen of one direction."""

    PACKET = 1
    DRAINED = 2
    FIN = 4
    FIN_ACK = 8
    RESET = 16
    CLOCK = 32


class Happened(IntEnum):
    """What the program tells."""

    DRAINED = 1
    FIN = 2
    RESET = 3
    AGAIN = 4


class Trait:
    """Bits of what is special about a flow."""

    NO_ECN = 1


TUPLE = Struct("=16s16s2s2s")
FLOW = Struct("=IIIIiII2s2s")
SESSION = Struct("=II")
DIRECTION = Struct("=IIiI8IQQQ")
SETTING = Struct("=II")
EVENT = Struct("=IIII")

_PORT = Struct("!H")

UNCHANGED = b"\0\0"
"""In place of a port."""


class Flow(NamedTuple):
    """What becomes of the packets of one tuple. See C{struct flow}."""

    session: int
    direction: int
    sequence: int
    acknowledgement: int
    window_shift: int
    clock: int
    traits: int = 0
    source_port: bytes = UNCHANGED
    destination_port: bytes = UNCHANGED

    def packed(self) -> bytes:
        """As the program reads it."""
        return FLOW.pack(*self)


class Direction(NamedTuple):
    """
    One direction of a session. See C{struct direction}.

    @ivar interface: the index of the device that leads to its sender; 0 as long as
        nobody knows.
    @ivar carried: bytes that were forwarded, each once. A FIN counts as one.
    @ivar heard: nanoseconds of the monotonic clock at its last packet.
    """

    boundary: int
    own_end: int
    own_window_shift: int
    scale: int
    interface: int = 0
    seen: int = 0
    end: int = 0
    acknowledged: int = 0
    window: int = 0
    fin: int = 0
    clock: int = 0
    dropped: int = 0
    packets: int = 0
    carried: int = 0
    heard: int = 0

    def packed(self) -> bytes:
        """As the program reads it."""
        return DIRECTION.pack(*self)


class Event(NamedTuple):
    """What the program tells of a session."""

    session: int
    direction: int
    happened: int
    reserved: int


def tuple_of(source: Address, destination: Address) -> bytes:
    """What packets from C{source} to C{destination} are found by."""
    return TUPLE.pack(
        _packed(source.host),
        _packed(destination.host),
        _PORT.pack(source.port),
        _PORT.pack(destination.port),
    )


def port(number: int) -> bytes:
    """A port as packets have it."""
    return _PORT.pack(number)


def _packed(host: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in host else AF_INET, host)

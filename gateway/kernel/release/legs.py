"""What the kernel says of a leg: the socket's own view, which needs no privileges."""

from __future__ import annotations

import socket
from struct import Struct

from attrs import frozen

from gateway.kernel.sockets import Socket

_INFO = Struct("=BBBBBBB")
_COUNTERS = Struct("=120xQQ")
_SIZE = 136

ESTABLISHED = 1
_BEFORE_FIN = frozenset({ESTABLISHED, 4, 5})
"""States in which the peer has not ended: ESTABLISHED, FIN_WAIT1, FIN_WAIT2."""


class Option:
    """Bits of what both ends have agreed on (C{TCPI_OPT_...} in linux/tcp.h)."""

    TIMESTAMPS = 1
    SACK = 2
    WINDOW_SCALE = 4
    ECN = 8
    USEC_TIMESTAMPS = 64


@frozen
class Leg:
    """
    @ivar options: bits of L{Option}.
    @ivar peer_scale: how far the windows that the peer sends are to be shifted.
    @ivar own_scale: the same for those that this end sends.
    @ivar acknowledged: bytes that the peer has acknowledged since the beginning; a FIN
        counts as one.
    @ivar received: bytes that have come from it, in order; the same.
    """

    state: int
    options: int
    peer_scale: int
    own_scale: int
    acknowledged: int
    received: int

    @property
    def peer_ended(self) -> bool:
        """Whether the peer's FIN has come."""
        return self.state not in _BEFORE_FIN


def leg_of(sock: Socket) -> Leg:
    """
    The present state of a leg.

    @raise OSError: it is no TCP socket.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    state, _, _, _, _, options, scales = _INFO.unpack_from(info)
    if not options & Option.WINDOW_SCALE:
        scales = 0
    return Leg(state, options, scales & 15, scales >> 4, *_COUNTERS.unpack_from(info))

"""
Resets in the name of either peer, for connections that no socket of ours has any more.

Such a packet is believed if its number is the one that its receiver expects next (RFC
5961, section 3.2).
"""

from __future__ import annotations

from gateway.interfaces import Address
from gateway.kernel.bare import RST, segment
from gateway.kernel.sockets import family_of, open_raw


def send_reset(source: Address, destination: Address, sequence: int, mark: int) -> None:
    """
    Reset the end at C{destination}.

    @param sequence: what it expects next.
    @param mark: of the packet.
    @raise OSError: CAP_NET_RAW is missing, or there is no route.
    """
    with open_raw(family_of(destination.host), mark) as sock:
        sock.sendto(segment(source, destination, sequence, RST), (destination.host, 0))

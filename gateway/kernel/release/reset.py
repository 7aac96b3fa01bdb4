"""
Resets in the name of either peer, for connections that no socket of ours has any more.

Such a packet is believed if its number is the one that its receiver expects next (RFC
5961, section 3.2).
"""

from __future__ import annotations

import socket
from struct import Struct, pack

from gateway.interfaces import Address
from gateway.kernel.sockets import family_of, open_raw

_TCP = Struct("!HHIIBBHHH")
_HEADER_WORDS = 5 << 4
_RST = 4
_HOPS = 64


def send_reset(source: Address, destination: Address, sequence: int, mark: int) -> None:
    """
    Reset the end at C{destination}.

    @param sequence: what it expects next.
    @param mark: of the packet.
    @raise OSError: CAP_NET_RAW is missing, or there is no route.
    """
    family = family_of(destination.host)
    with open_raw(family, mark) as sock:
        sock.sendto(_packet(family, source, destination, sequence), (destination.host, 0))


def _packet(family: int, source: Address, destination: Address, sequence: int) -> bytes:
    """With its IP header."""
    ends = b"".join(socket.inet_pton(family, each.host) for each in (source, destination))
    header = _TCP.pack(
        *(source.port, destination.port, sequence, 0),
        *(_HEADER_WORDS, _RST, 0, 0, 0),
    )
    if family == socket.AF_INET6:
        pseudo = ends + pack("!II", len(header), socket.IPPROTO_TCP)
        network = pack("!IHBB", 6 << 28, len(header), socket.IPPROTO_TCP, _HOPS) + ends
    else:
        pseudo = ends + pack("!HH", socket.IPPROTO_TCP, len(header))
        # the kernel fills in the length, the identification and the checksum
        network = pack("!BBHHHBBH", 0x45, 0, 0, 0, 0x4000, _HOPS, socket.IPPROTO_TCP, 0) + ends
    summed = _checksum(pseudo + header)
    return network + header[:16] + pack("!H", summed) + header[18:]


def _checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

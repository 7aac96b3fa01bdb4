"""Bare segments of TCP, in the name of either peer: without data, to be sent by a raw socket."""

from __future__ import annotations

import socket
from struct import Struct, pack, unpack

from gateway.interfaces import Address
from gateway.kernel.sockets import family_of

TCP_HEADER = Struct("!HHIIBBHHH")
"""RFC 9293, section 3.1, without options."""

RST, ACK = 0x04, 0x10

_HOPS = 64
_DONT_FRAGMENT = 0x4000


def segment(
    source: Address,
    destination: Address,
    sequence: int,
    flags: int,
    acknowledged: int = 0,
    window: int = 0,
    options: bytes = b"",
) -> bytes:
    """
    One segment, with its IP header, of which the kernel fills in IPv4's length and checksum.

    @param window: as it is in the header.
    @param options: padded to words of 32 bits.
    """
    family = family_of(destination.host)
    ends = b"".join(socket.inet_pton(family, each.host) for each in (source, destination))
    words = (TCP_HEADER.size + len(options)) // 4 << 4
    numbers = source.port, destination.port, sequence, acknowledged
    header = TCP_HEADER.pack(*numbers, words, flags, window, 0, 0) + options
    pseudo = ends + pack("!HH", socket.IPPROTO_TCP, len(header))
    summed = checksum(pseudo + header)
    return _network(family, ends, len(header)) + header[:16] + pack("!H", summed) + header[18:]


def _network(family: int, ends: bytes, length: int) -> bytes:
    """RFC 791, or RFC 8200."""
    if family == socket.AF_INET6:
        return pack("!IHBB", 6 << 28, length, socket.IPPROTO_TCP, _HOPS) + ends
    start = 0x45, 0, 0, 0, _DONT_FRAGMENT, _HOPS, socket.IPPROTO_TCP, 0
    return pack("!BBHHHBBH", *start) + ends


def checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total: int = sum(unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

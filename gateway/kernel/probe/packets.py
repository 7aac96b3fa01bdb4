"""The packets of a probe, byte by byte: a connection's first, with one hop to live."""

from __future__ import annotations

import socket
from struct import pack

from gateway.kernel.bare import checksum
from gateway.kernel.sockets import family_of
from gateway.policy.connection import Connection, Protocol

HOPS = 1
"""A router that would forward it drops it."""

_SYN = 0x02
_OFFSET = 6 << 4
"""Five words of header, and one of options."""

_WINDOW = 64240
_MSS = 1460
_DONT_FRAGMENT = 0x4000
_ETHERTYPE = {socket.AF_INET: 0x0800, socket.AF_INET6: 0x86DD}
_NOBODY = bytes((2, 0, 0, 0, 0, 1))
"""A locally administered address (IEEE 802, the second bit)."""


def frame(link: bytes, connection: Connection, token: int) -> bytes:
    """
    The first packet of C{connection}, in an Ethernet frame.

    @param link: the interface's own link address, of six bytes.
    @param token: 32 bits to recognise it by: TCP's sequence number, or what a datagram carries.
    """
    source, destination, protocol, _ = connection
    family = family_of(source.host)
    ends = b"".join(socket.inet_pton(family, each.host) for each in (source, destination))
    ports = pack("!HH", source.port, destination.port)
    write, number = _TRANSPORT[protocol]
    payload = write(ports, token, _pseudo(family, ends, number))
    return link + _NOBODY + pack("!H", _ETHERTYPE[family]) + _network(family, ends, number, payload)


def _syn(ports: bytes, token: int, pseudo: bytes) -> bytes:
    """RFC 9293, section 3.1, with the option that all clients have."""
    start = ports + pack("!IIBBH", token, 0, _OFFSET, _SYN, _WINDOW)
    rest = pack("!HBBH", 0, 2, 4, _MSS)
    length = pack("!H", len(start) + 2 + len(rest))
    return start + _sum(pseudo + length + start + rest) + rest


def _datagram(ports: bytes, token: int, pseudo: bytes) -> bytes:
    """RFC 768."""
    content = pack("!I", token)
    start = ports + pack("!H", 8 + len(content))
    return start + _sum(pseudo + start[4:] + start + content) + content


_TRANSPORT = {
    Protocol.TCP: (_syn, socket.IPPROTO_TCP),
    Protocol.UDP: (_datagram, socket.IPPROTO_UDP),
}


def _pseudo(family: int, ends: bytes, number: int) -> bytes:
    """What is summed up with it; the length follows. (In IPv6 it has more zeros in front.)"""
    return ends + pack("!H", number)


def _network(family: int, ends: bytes, number: int, payload: bytes) -> bytes:
    """RFC 791, or RFC 8200."""
    if family == socket.AF_INET6:
        return pack("!IHBB", 6 << 28, len(payload), number, HOPS) + ends + payload
    length = 20 + len(payload)
    start = pack("!BBHHHBB", 0x45, 0, length, 0, _DONT_FRAGMENT, HOPS, number)
    return start + _sum(start + ends) + ends + payload


def _sum(data: bytes) -> bytes:
    """As UDP wants it, where zero means that there is none."""
    return pack("!H", checksum(data) or 0xFFFF)

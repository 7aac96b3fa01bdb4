"""What two ends say when they shake hands, as packets."""

from __future__ import annotations

import socket
from struct import pack

from gateway.interfaces import Address
from gateway.kernel.bare import ACK
from gateway.kernel.handshake.segment import SYN

CLIENT = Address("10.1.2.3", 40_000)
SERVER = Address("198.51.100.7", 80)
CLIENT6 = Address("fd00:1::2:3", 40_000)
SERVER6 = Address("2001:db8:100::7", 80)

STAMPS = b"\x01\x01\x08\x0a" + pack("!II", 7, 0)
USUAL = b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + pack("!II", 7, 0) + b"\x01\x03\x03\x07"


def packet(
    source: Address,
    destination: Address,
    flags: int,
    sequence: int,
    acknowledged: int = 0,
    options: bytes = b"",
    data: bytes = b"",
) -> bytes:
    """One packet."""
    words = (20 + len(options)) // 4 << 4
    ports = source.port, destination.port
    tcp = pack("!HHIIBBHHH", *ports, sequence, acknowledged, words, flags, 500, 0, 0)
    payload = tcp + options + data
    if ":" in source.host:
        ends = (socket.inet_pton(socket.AF_INET6, each.host) for each in (source, destination))
        return pack("!IHBB", 6 << 28, len(payload), 6, 64) + b"".join(ends) + payload
    ends = (socket.inet_aton(each.host) for each in (source, destination))
    header = pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 6, 0)
    return header + b"".join(ends) + payload


def first(client: Address = CLIENT, server: Address = SERVER, options: bytes = USUAL) -> bytes:
    """The client's SYN."""
    return packet(client, server, SYN, 1000, options=options)


def answer(client: Address = CLIENT, server: Address = SERVER, options: bytes = USUAL) -> bytes:
    """The server's SYN-ACK."""
    return packet(server, client, SYN | ACK, 5000, 1001, options)


def last(
    client: Address = CLIENT, server: Address = SERVER, data: bytes = b"", sequence: int = 1001
) -> bytes:
    """The client's acknowledgement."""
    return packet(client, server, ACK, sequence, 5001, STAMPS, data)

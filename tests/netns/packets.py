"""Packets made by hand: what no honest program sends."""

from __future__ import annotations

import socket
import struct

from gateway.lab.namespace import Namespace

FIN, SYN, RST, PSH, ACK, URG = (1 << bit for bit in range(6))
MORE_FRAGMENTS = 0x2000
IPV6_CHECKSUM = 7
CHECKSUM_AT = 16
"""Where TCP's checksum is in its header (RFC 9293, section 3.1)."""


def checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def segment(
    source: tuple[str, int],
    server: tuple[str, int],
    flags: int,
    data: bytes = b"",
    sequence: int = 1000,
    acknowledged: int = 0,
) -> bytes:
    """A TCP segment; with a checksum if it goes by IPv4, for IPv6 the kernel computes it."""
    header = struct.pack(
        "!HHIIBBHHH",
        source[1], server[1], sequence, acknowledged, 5 << 4, flags, 65535, 0, 0,
    )  # fmt: skip
    if ":" in server[0]:
        return header + data
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(server[0])
    pseudo = addresses + struct.pack("!BBH", 0, 6, 20 + len(data))
    return header[:16] + struct.pack("!H", checksum(pseudo + header + data)) + header[18:] + data


def packet(source: str, server: str, payload: bytes) -> bytes:
    """An IPv4 packet with a whole segment."""
    return fragment(source, server, payload, 0, False)


def fragment(source: str, server: str, payload: bytes, offset: int, more: bool) -> bytes:
    """An IPv4 packet with a part of a segment."""
    where = offset // 8 | (MORE_FRAGMENTS if more else 0)
    start = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 77, where, 64, 6, 0)
    return start + socket.inet_aton(source) + socket.inet_aton(server) + payload


def raw(namespace: Namespace, source: str, whole: bool = False) -> socket.socket:
    """
    A socket for such packets, from an address of C{namespace}.

    @param whole: they begin with an IPv4 header of their own.
    """
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with namespace.entered():
        ours = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
    if whole:
        ours.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
    else:
        ours.bind((source, 0))
    if family == socket.AF_INET6:
        ours.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, CHECKSUM_AT)
    return ours

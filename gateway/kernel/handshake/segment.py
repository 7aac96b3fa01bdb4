"""
Segments of TCP: the headers of what two ends say when they shake hands, and answers in their names.

Bytes in, bytes out. Only what such packets may have is understood: no IP options, no extension
headers, for the rules drop them before.
"""

from __future__ import annotations

import socket
from struct import Struct, pack
from typing import NamedTuple

from attrs import frozen

from gateway.interfaces import Address
from gateway.kernel import bare
from gateway.kernel.bare import ACK, RST, TCP_HEADER

LONGEST = 100
"""Bytes of both headers, with all options."""

SYN = 0x02

END, NOTHING, MSS, SCALE, SACK, STAMPS = 0, 1, 2, 3, 4, 8
"""Kinds of options (RFC 9293, RFC 7323, RFC 2018)."""

USUAL_MSS = {socket.AF_INET: 536, socket.AF_INET6: 1220}
"""Without the option (RFC 9293, section 3.7.1)."""

MOST_SCALED = 14
"""RFC 7323, section 2.3."""

_MASK = 0xFFFFFFFF

Key = bytes
"""Client and server, as what the client sends has them: addresses and ports."""

_NUMBERS = Struct("!IIxB")
"""Sequence and acknowledgement numbers, and flags."""


class Unreadable(ValueError):
    """It is no such segment."""


class Glance(NamedTuple):
    """
    What is to be known of a segment to know what it belongs to.

    @ivar flags: SYN and ACK only.
    """

    key: Key
    flags: int
    sequence: int
    acknowledged: int


def glance(packet: bytes) -> Glance | None:
    """Look at a packet, of which most only pass; C{None}: it is none that L{read} would read."""
    if packet[:1] == b"\x45" and len(packet) >= 40 and packet[9] == socket.IPPROTO_TCP:
        size, at = 4, 12
    elif len(packet) >= 60 and packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_TCP:
        size, at = 16, 8
    else:
        return None
    ports = at + 2 * size
    sequence, acknowledged, flags = _NUMBERS.unpack_from(packet, ports + 4)
    flags &= SYN | ACK
    if flags == SYN | ACK:
        to, other = packet[at + size : ports], packet[at : at + size]
        key = to + other + packet[ports + 2 : ports + 4] + packet[ports : ports + 2]
    else:
        key = packet[at : ports + 4]
    return Glance(key, flags, sequence, acknowledged)


@frozen
class Segment:
    """
    One segment, without its data.

    @ivar mss: what the sender can receive.
    @ivar scale: of its windows; C{None}: it does not know about that.
    @ivar stamp: its timestamp; C{None}: it has none.
    @ivar echo: the timestamp that it returns.
    """

    family: socket.AddressFamily
    source: bytes
    source_port: int
    destination: bytes
    destination_port: int
    sequence: int
    acknowledged: int
    flags: int
    window: int
    mss: int
    scale: int | None = None
    sack: bool = False
    stamp: int | None = None
    echo: int = 0

    @property
    def next(self) -> int:
        """The number of what comes after a SYN."""
        return self.sequence + 1 & _MASK

    @property
    def sender(self) -> Address:
        """Who has sent it."""
        return Address(socket.inet_ntop(self.family, self.source), self.source_port)

    @property
    def receiver(self) -> Address:
        """To whom it goes."""
        return Address(socket.inet_ntop(self.family, self.destination), self.destination_port)


def read(packet: bytes) -> Segment:
    """
    Read a packet, or the beginning of one.

    @raise Unreadable: it is not whole, or has what it may not have.
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and packet[0] & 0xF == 5 and len(packet) >= 40:
        family, at, ends = socket.AF_INET, 20, (packet[12:16], packet[16:20])
        protocol = packet[9]
    elif version == 6 and len(packet) >= 60:
        family, at, ends = socket.AF_INET6, 40, (packet[8:24], packet[24:40])
        protocol = packet[6]
    else:
        raise Unreadable("not a whole header")
    if protocol != socket.IPPROTO_TCP:
        raise Unreadable("not TCP")
    source, destination, sequence, acknowledged, words, flags, window, _, _ = (
        TCP_HEADER.unpack_from(packet, at)
    )
    end = at + (words >> 4) * 4
    if not at + TCP_HEADER.size <= end <= len(packet):
        raise Unreadable("not a whole header of TCP")
    options = _options(packet[at + TCP_HEADER.size : end])
    stamp = _number(options, STAMPS, 8)
    return Segment(
        *(family, ends[0], source, ends[1], destination, sequence, acknowledged, flags, window),
        mss=USUAL_MSS[family] if (mss := _number(options, MSS, 2)) is None else mss,
        scale=None if (scale := _number(options, SCALE, 1)) is None else min(scale, MOST_SCALED),
        sack=SACK in options,
        stamp=None if stamp is None else stamp >> 32,
        echo=0 if stamp is None else stamp & _MASK,
    )


def _options(data: bytes) -> dict[int, bytes]:
    """
    The contents of all options, by their kinds.

    @raise Unreadable: they run over.
    """
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != END:
        if data[at] == NOTHING:
            at += 1
            continue
        length = data[at + 1] if at + 1 < len(data) else 0
        if length < 2 or at + length > len(data):
            raise Unreadable("a broken option")
        found.setdefault(data[at], data[at + 2 : at + length])
        at += length
    return found


def _number(options: dict[int, bytes], kind: int, length: int) -> int | None:
    """
    @raise Unreadable: the option is there, and not as long as it should be.
    """
    content = options.get(kind)
    if content is None:
        return None
    if len(content) != length:
        raise Unreadable("an option of an odd length")
    return int.from_bytes(content, "big")


def acknowledgement(said: Segment) -> bytes:
    """The packet with which a client says that it has heard the SYN-ACK, without its data."""
    options = b""
    if said.stamp is not None:
        options = pack("!BBBBII", NOTHING, NOTHING, STAMPS, 10, said.stamp, said.echo)
    numbers = said.sequence, ACK, said.acknowledged
    return bare.segment(said.sender, said.receiver, *numbers, said.window, options)


def resets(said: Segment) -> tuple[bytes, bytes]:
    """The packets that end both sides of what a client has acknowledged: server's, client's."""
    client, server = said.sender, said.receiver
    to_server = bare.segment(client, server, said.sequence, RST)
    return to_server, bare.segment(server, client, said.acknowledged, RST)

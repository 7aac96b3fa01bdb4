"""
Packets with a long header (RFC 9000, section 17.2), as a client sends them.

Several may come in one datagram (section 12.2). What can be read without keys is
read here: versions, connection identifiers, tokens, lengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from attrs import frozen

from protocols.quic.number import Octets
from protocols.tls.refusal import Refusal

_LONG = 0x80
_FIXED = 0x40
_LONGEST_ID = 20
"""Bytes of a connection identifier (RFC 9000, section 17.2)."""

SMALLEST = 1200
"""Bytes of a datagram with a client's Initial packet, at least (RFC 9000, section 14.1)."""


class Kind(Enum):
    """What a packet with a long header is for."""

    INITIAL = "Initial"
    ZERO_RTT = "0-RTT"
    HANDSHAKE = "Handshake"
    RETRY = "Retry"


@frozen
class Version:
    """
    A version of QUIC.

    @ivar kinds: what the two bits of a packet's type mean.
    @ivar salt: for the keys of first packets.
    @ivar label: in front of the names of keys.
    """

    number: int
    kinds: tuple[Kind, Kind, Kind, Kind]
    salt: bytes
    label: bytes


VERSIONS = {
    version.number: version
    for version in (
        # RFC 9000, section 17.2, and RFC 9001, section 5.2
        Version(
            1,
            (Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE, Kind.RETRY),
            bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
            b"quic ",
        ),
        # RFC 9369, sections 3.2 and 3.3
        Version(
            0x6B3343CF,
            (Kind.RETRY, Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE),
            bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
            b"quicv2 ",
        ),
    )
}
"""The versions that can be looked into, by their numbers."""


@frozen
class Packet:
    """
    A packet that is still protected.

    @ivar destination: the connection identifier of the receiver.
    @ivar source: the sender's.
    @ivar data: all of it, from its first byte to its last.
    @ivar number_at: where its number begins.
    """

    version: Version
    kind: Kind
    destination: bytes
    source: bytes
    data: bytes
    number_at: int


def is_long(datagram: bytes) -> bool:
    """Whether a datagram begins with a long header: a connection is being made."""
    return bool(datagram) and datagram[0] & _LONG == _LONG


def packets(datagram: bytes) -> Iterator[Packet]:
    """
    The packets with long headers that are coalesced in a client's datagram. What follows them
    may be one with a short header, or padding.

    @raise Refusal: it can't be told where one ends, or what it is.
    """
    while is_long(datagram):
        packet = _packet(datagram)
        yield packet
        datagram = datagram[len(packet.data) :]


def _packet(datagram: bytes) -> Packet:
    """The first packet of a datagram."""
    octets = Octets(datagram, "a QUIC packet")
    first = octets.fixed(1)
    version = _version(octets.fixed(4))
    kind = version.kinds[first >> 4 & 3]
    if not first & _FIXED:
        raise Refusal("a QUIC packet without the fixed bit")
    destination, source = _identifier(octets), _identifier(octets)
    if kind is Kind.RETRY:
        raise Refusal("a Retry packet from a client")
    if kind is Kind.INITIAL:
        octets.take(octets.number())
    length = octets.number()
    number_at = octets.at
    octets.take(length)
    return Packet(version, kind, destination, source, datagram[: octets.at], number_at)


def _version(number: int) -> Version:
    version = VERSIONS.get(number)
    if version is None:
        raise Refusal(f"QUIC version {number:#010x}, which can't be looked into")
    return version


def _identifier(octets: Octets) -> bytes:
    length = octets.fixed(1)
    if length > _LONGEST_ID:
        raise Refusal(f"a QUIC connection identifier of {length} bytes")
    return octets.take(length)

"""The frames that a client's first packets may have (RFC 9000, sections 12.4 and 19)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import frozen

from protocols.quic.number import Octets
from protocols.tls.refusal import Refusal

PADDING = 0
PING = 1
ACK = 2
ACK_ECN = 3
CRYPTO = 6
CONNECTION_CLOSE = 0x1C


@frozen
class Crypto:
    """A piece of the handshake, and where it belongs."""

    offset: int
    data: bytes


def crypto_frames(payload: bytes) -> Iterator[Crypto]:
    """
    The pieces of the handshake in a packet's payload.

    @raise Refusal: there is a frame that may not be there, or none at all.
    """
    if not payload:
        raise Refusal("a QUIC packet without frames")
    octets = Octets(payload, "a QUIC frame")
    while octets.more:
        kind = octets.number()
        if kind == CRYPTO:
            yield _crypto(octets)
        elif kind in _PASSED_OVER:
            _PASSED_OVER[kind](octets)
        else:
            raise Refusal(f"frame {kind:#x} in a QUIC Initial packet")


def _crypto(octets: Octets) -> Crypto:
    offset = octets.number()
    return Crypto(offset, octets.take(octets.number()))


def _nothing(octets: Octets) -> None:
    """PADDING and PING are their type only."""


def _acknowledged(octets: Octets) -> None:
    """Section 19.3."""
    octets.number()
    octets.number()
    count = octets.number()
    octets.number()
    for _ in range(count):
        octets.number()
        octets.number()


def _acknowledged_ecn(octets: Octets) -> None:
    """Section 19.3.2: three counters follow."""
    _acknowledged(octets)
    for _ in range(3):
        octets.number()


def _closed(octets: Octets) -> None:
    """Section 19.19."""
    octets.number()
    octets.number()
    octets.take(octets.number())


_PASSED_OVER: dict[int, Callable[[Octets], None]] = {
    PADDING: _nothing,
    PING: _nothing,
    ACK: _acknowledged,
    ACK_ECN: _acknowledged_ecn,
    CONNECTION_CLOSE: _closed,
}

"""
First flights as clients send them, made with aioquic, a QUIC that we share nothing with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion

from tests.protocols.tls.hellos import COMMON, body, message

V1 = int(QuicProtocolVersion.VERSION_1)
V2 = int(QuicProtocolVersion.VERSION_2)
DESTINATION = b"8 bytes!"
SOURCE = b"client"

_INITIAL = {V1: 0, V2: 1}


def client(name: str = "www.example.org", version: int = V1) -> QuicConnection:
    """A real client, which has sent nothing yet."""
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=["h3"],
        server_name=name,
        original_version=version,
        supported_versions=[version],
    )
    connection = QuicConnection(configuration=configuration)
    connection.connect(("192.0.2.1", 443), now=0.0)
    return connection


def sent(connection: QuicConnection) -> list[bytes]:
    """The datagrams that it sends now."""
    return [data for data, _ in connection.datagrams_to_send(now=0.0)]


def number(value: int) -> bytes:
    """A QUIC number, in four bytes."""
    return (0x80000000 | value).to_bytes(4, "big")


def crypto(offset: int, data: bytes) -> bytes:
    """A CRYPTO frame."""
    return b"\x06" + number(offset) + number(len(data)) + data


def packet(
    payload: bytes,
    packet_number: int = 0,
    version: int = V1,
    destination: bytes = DESTINATION,
    keyed_by: bytes | None = None,
    first: int = 0,
    size: int = 1200,
) -> bytes:
    """
    An Initial packet of a client.

    @param keyed_by: the connection identifier of the first packet, if it is another.
    @param first: more bits of the first byte.
    @param size: bytes, by padding inside.
    """
    pair = CryptoPair()
    pair.setup_initial(
        destination if keyed_by is None else keyed_by, is_client=True, version=version
    )
    payload = payload.ljust(size - 12 - len(destination) - len(SOURCE) - 16, b"\0")
    header = bytes((0xC1 | first | _INITIAL[version] << 4,)) + version.to_bytes(4, "big")
    header += bytes((len(destination),)) + destination + bytes((len(SOURCE),)) + SOURCE
    header += b"\0" + (0x4000 | len(payload) + 2 + 16).to_bytes(2, "big")
    encrypted: bytes = pair.encrypt_packet(
        header + (packet_number & 0xFFFF).to_bytes(2, "big"), payload, packet_number
    )
    return encrypted


HELLO = message(body(COMMON))


def pieces(data: bytes, ends: Sequence[int]) -> list[bytes]:
    """CRYPTO frames of C{data}, cut at C{ends}."""
    return [crypto(begin, data[begin:end]) for begin, end in pairwise([0, *ends, len(data)])]


def flight(frames: Iterable[bytes], **options: int) -> list[bytes]:
    """One packet for each of C{frames}."""
    return [packet(frame, count, **options) for count, frame in enumerate(frames)]  # type: ignore[arg-type]

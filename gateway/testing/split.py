"""The ways in which a network may cut a stream of bytes."""

from __future__ import annotations

from collections.abc import Iterator


def bytewise(data: bytes) -> list[bytes]:
    """Every byte for itself."""
    return [data[at : at + 1] for at in range(len(data))]


def every_split(data: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and in two pieces, cut at every place."""
    yield [data] if data else []
    if len(data) > 1:
        yield bytewise(data)
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]

"""Packets: four bytes of length, one that says what it is, and the rest."""

from __future__ import annotations

from struct import pack, unpack

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.scanners.fault import ScannerFault, Unfit
from protocols.scanners.milter.numbers import Command, Reply

LONGEST = 65535
"""Bytes behind the command: of more, libmilter closes (MILTER_MAX_DATA_SIZE)."""

ANSWER = 1 << 20
"""Bytes of an answer: libmilter sends 65535 of a body at once."""


def packet(command: Command, *parts: bytes) -> bytes:
    """
    @raise Unfit: it is too long for a filter.
    """
    data = b"".join(parts)
    if len(data) > LONGEST:
        raise Unfit(f"milter: {len(data)} bytes at once are too many for a filter")
    return pack(">I", len(data) + 1) + command.value + data


def text(*each: str) -> bytes:
    """
    Strings, as packets have them: each ends with a NUL.

    @raise Unfit: one has a NUL in it.
    """
    joined = b"".join(one.encode("utf-8", "surrogateescape") + b"\0" for one in each)
    if joined.count(b"\0") != len(each):
        raise Unfit("milter: a NUL can't be told to a filter")
    return joined


async def read_packet(read: Reader) -> tuple[Reply, bytes]:
    """@raise ScannerFault: it is none."""
    try:
        (length,) = unpack(">I", await read.exactly(4, 4))
        data = await read.exactly(length, ANSWER)
    except Denied as denied:
        raise ScannerFault(f"milter: {denied.reason}") from None
    try:
        return Reply(data[:1]), data[1:]
    except ValueError:
        raise ScannerFault(f"milter: an answer {data[:1]!r}, which nobody knows") from None


def numbers(data: bytes, count: int) -> tuple[int, ...]:
    """@raise ScannerFault: these are not so many numbers of four bytes."""
    if len(data) != 4 * count:
        raise ScannerFault(f"milter: {len(data)} bytes in place of {count} numbers")
    return tuple(unpack(f">{count}I", data))


def strings(data: bytes, count: int) -> list[bytes]:
    """@raise ScannerFault: these are not so many strings."""
    *each, rest = data.split(b"\0")
    if rest or len(each) != count:
        raise ScannerFault(f"milter: {len(each)} strings in place of {count}")
    return each

"""
Decoding: a compressed body, as its receiver will read it, for scanners that don't decode.

Readers differ in what they make of a body that breaks off, or goes on behind its end. A scanner
must not see something else than they do, so that such a body is none that it can judge.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from gateway.tools import ISpool
from protocols.magic import GZIP
from protocols.scanners.fault import Unfit
from protocols.scanners.held import BLOCK

AT_ONCE = 262144
"""Bytes that are made at once, of however few."""

PLAIN = frozenset({"", "identity"})

_RAW = -15
"""What zlib calls deflate without its envelope."""

_ZLIB = 15

_WAYS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": _ZLIB}


def decoded(body: ISpool, coding: str, whole: bool) -> Iterator[bytes]:
    """
    What is in a body, in pieces that are made one by one.

    @param coding: see L{Envelope.coding<gateway.envelope.Envelope>}.
    @param whole: it is all there; else it may break off.
    @raise Unfit: that can't be told for certain.
    """
    way = _WAYS.get(coding)
    if way is None:
        raise Unfit(f"a body coded as {coding!r}, which can't be decoded")
    begin = body.read(0, BLOCK)
    if way == _ZLIB and not _begins(begin, way):
        way = _RAW  # as many servers send it (RFC 9110, section 8.4.1.2)
    return _pieces(body, way, coding, whole)


def encoded(body: ISpool, coding: str) -> Iterator[bytes]:
    """The other way round, for a body that passes in place of one that was decoded."""
    stream = zlib.compressobj(wbits=_WAYS[coding])
    at = 0
    while block := body.read(at, BLOCK):
        at += len(block)
        yield stream.compress(block)
    yield stream.flush()


def _begins(begin: bytes, way: int) -> bool:
    try:
        zlib.decompressobj(way).decompress(begin, 1)
    except zlib.error:
        return False
    return True


def _pieces(body: ISpool, way: int, coding: str, whole: bool) -> Iterator[bytes]:
    stream, at = zlib.decompressobj(way), 0
    while block := body.read(at, BLOCK):
        at += len(block)
        if stream.eof:
            raise Unfit(f"a body coded as {coding!r} that goes on behind its end")
        piece = b""
        while block or len(piece) == AT_ONCE:  # then, there may be more of what was read before
            try:
                piece = stream.decompress(block, AT_ONCE)
            except zlib.error as error:
                raise Unfit(f"a body that is not {coding!r} as it says: {error}") from None
            block = stream.unconsumed_tail
            if piece:
                yield piece
        if stream.unused_data:
            raise Unfit(f"a body coded as {coding!r} that goes on behind its end")
    if whole and not stream.eof:
        raise Unfit(f"a body coded as {coding!r} that breaks off")

"""
Commands, and a body in chunks.

The C{z} before a command says that the daemon's replies end with a NUL. Within a session
(C{IDSESSION}), commands are numbered from 1 by both ends, and each reply begins with its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

SESSION = b"zIDSESSION\0"
INSTREAM = b"zINSTREAM\0"
VERSION = b"zVERSION\0"
PING = b"zPING\0"
END = b"zEND\0"

LAST = pack(">I", 0)
"""The chunk that ends a body: one of no bytes."""

CHUNK = 131072
"""Bytes of a chunk at most: the daemon takes a chunk's announced length for a promise."""


def chunks(block: bytes) -> Iterator[bytes]:
    """A piece of a body, as it is sent: each chunk behind its length. Nothing for an empty one."""
    if len(block) <= CHUNK:
        if block:
            yield pack(">I", len(block)) + block
        return
    for at in range(0, len(block), CHUNK):
        chunk = block[at : at + CHUNK]
        yield pack(">I", len(chunk)) + chunk

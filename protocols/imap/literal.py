"""A Literal: so many bytes, as they come."""

from __future__ import annotations

from collections.abc import Callable

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.imap.value import Mark

BLOCK = 65536
"""Bytes of a piece, at most."""

LARGEST = 1 << 30
"""Bytes of what is refused that are read to their end, so that the session can go on."""


class Literal:
    """
    One that was announced.

    @param waits: told before each piece that somebody is waited for.
    @param rests: told when it is there, so that nobody is.
    @ivar size: in bytes.
    @ivar left: of these, that have not been read.
    """

    def __init__(
        self, read: Reader, mark: Mark, waits: Callable[[], None], rests: Callable[[], None]
    ) -> None:
        self.size = self.left = mark.size
        self._read = read
        self._waits = waits
        self._rests = rests

    @property
    def came(self) -> int:
        """Bytes that were read."""
        return self.size - self.left

    async def piece(self, most: int = BLOCK) -> bytes:
        """What has come, at most so much; empty at the end."""
        if not self.left:
            return b""
        self._waits()
        piece = await self._read.some(min(self.left, most, BLOCK))
        self._rests()
        self.left -= len(piece)
        return piece

    async def all(self) -> bytes:
        """All of it, which has to be little."""
        pieces = []
        while piece := await self.piece():
            pieces.append(piece)
        return b"".join(pieces)

    async def skip(self) -> None:
        """
        Read what is left, which nobody wants.

        @raise Denied: it is too much.
        """
        if self.left > LARGEST:
            raise Denied(f"a literal of {self.size} bytes")
        while await self.piece():
            pass

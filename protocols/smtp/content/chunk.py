"""Chunk: content as it follows BDAT, read by its length (RFC 3030)."""

from __future__ import annotations

from gateway.inspector import Reader, Waits
from gateway.interfaces import Denied
from protocols.mime.lines import BLOCK
from protocols.smtp.grammar.refusal import Refusal


class Chunk:
    """
    One chunk as the client sends it.

    @ivar size: in bytes.
    """

    def __init__(self, read: Reader, size: int, waits: Waits) -> None:
        self.size = size
        self._waits = waits
        self._read = read
        self._left = size

    async def piece(self) -> bytes:
        """What has come of it; empty at the end."""
        if not self._left:
            return b""
        self._waits("data_seconds")
        piece = await self._read.some(min(self._left, BLOCK))
        self._waits(None)
        self._left -= len(piece)
        return piece

    async def skip(self, refused: Refusal, most: int) -> None:
        """
        Read the rest, which nobody wants, so that the client listens when it is told.

        @raise Denied: it is more than C{most} bytes.
        """
        if self._left > most:
            raise Denied(refused.reason, refused.reply.data())
        while await self.piece():
            pass

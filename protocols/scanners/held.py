"""Held: a body that waits for its verdict, and what has left of it already."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gateway.tools import ISpool
from protocols.magic import LOOK

if TYPE_CHECKING:
    from hashlib import _Hash

BLOCK = 65536
"""Bytes that are read of it at once."""


class Held:
    """
    One body.

    @ivar spool: where it is.
    @ivar beginning: its first bytes, which tell what it is.
    @ivar left: so many of its bytes have left before it was judged.
    """

    def __init__(self, spool: ISpool, hashed: bool) -> None:
        self.spool = spool
        self.beginning = b""
        self.left = 0
        self._hash: _Hash | None = sha256() if hashed else None

    def put(self, data: bytes) -> None:
        """
        More of it.

        @raise SpoolFull: there is no room.
        """
        self.spool.put(data)
        if len(self.beginning) < LOOK:
            self.beginning += data[: LOOK - len(self.beginning)]
        if self._hash is not None:
            self._hash.update(data)

    @property
    def size(self) -> int:
        """Bytes that came."""
        return self.spool.size

    @property
    def digest(self) -> str:
        """Its SHA-256 so far; empty if nobody wants it."""
        return "" if self._hash is None else self._hash.hexdigest()

    def trickle(self, most: int) -> bytes:
        """What may leave before it is judged: at most so much, and never the second half."""
        piece = self.spool.read(self.left, min(most, self.size // 2 - self.left))
        self.left += len(piece)
        return piece

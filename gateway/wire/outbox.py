"""Outbox: what the kernel has not taken yet of what is to be sent to one side."""

from __future__ import annotations

from collections import deque
from itertools import islice

from gateway.kernel.sockets import Socket

_AT_ONCE = 64
"""Pieces that are handed to the kernel in one call."""


class Outbox:
    """
    Bytes that wait, in order. A wire has one only while something waits.

    @ivar size: how many there are.
    """

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | memoryview] = deque()
        self.size = 0

    def keep(self, data: bytes | memoryview) -> None:
        """C{data} waits behind what is there."""
        self._pieces.append(data)
        self.size += len(data)

    def send(self, sock: Socket) -> int:
        """
        Hand to the kernel what it takes.

        @return: how many bytes it took.
        @raise OSError: as the kernel says; nothing is gone.
        """
        sent = sock.sendmsg(list(islice(self._pieces, _AT_ONCE)))
        self.size -= sent
        self._drop(sent)
        return sent

    def _drop(self, sent: int) -> None:
        pieces = self._pieces
        while sent:
            sent -= len(pieces[0])
            if sent >= 0:
                pieces.popleft()
            else:
                pieces[0] = memoryview(pieces[0])[sent:]
                return

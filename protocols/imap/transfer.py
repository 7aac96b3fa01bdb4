"""
A Transfer: a message that is examined on its way, as a literal, whose length comes first.

As long as there is room, it waits until it is judged; then it has the length that it has in the
end. One that is too large has the length that was announced, and is not changed.
"""

from __future__ import annotations

import re
from typing import Protocol

from protocols.imap.examination import OBJECTIONS, Examination, refusal
from protocols.imap.literal import BLOCK, Literal
from protocols.imap.refusal import Refusal

_LINE = re.compile(rb"[^\n]*\n")

_END = 2
"""Bytes that are kept back: a line end that may have to be taken off."""


class Outlet(Protocol):
    """Where it goes."""

    async def begin(self, size: int) -> None:
        """So many bytes follow."""

    async def send(self, data: bytes) -> None:
        """Some of them."""


class Transfer:
    """
    One message.

    @param hold: so many bytes may be held.
    @ivar begun: its other end has a part of it.
    """

    def __init__(
        self, examination: Examination, literal: Literal, outlet: Outlet, hold: int
    ) -> None:
        self._examination = examination
        self._literal = literal
        self._outlet = outlet
        self._hold = hold
        self._held: list[bytes] = []
        self._size = 0
        self._left = 0
        self.begun = False

    async def run(self) -> Refusal | None:
        """
        Bring it over.

        @return: why it was refused; C{None} if it was not.
        @raise Denied: it was refused, and the session can't go on.
        """
        examination, literal = self._examination, self._literal
        try:
            while piece := await self._piece():
                for lines in examination.lines(piece):
                    await self._feed(lines)
            await self._put(await examination.end())
            while piece := await examination.rest():
                await self._put(piece)
            await self._complete()
        except OBJECTIONS as error:
            refused = refusal(error)
            if self.begun:
                raise refused.ending() from None
            await literal.skip()
            return refused
        finally:
            examination.cancel()
        return None

    async def _piece(self) -> bytes:
        """The next one; none is partly of what may be held, and partly not."""
        room = self._hold - self._literal.came
        return await self._literal.piece(room) if room > 0 else await self._literal.piece()

    async def _feed(self, lines: bytes) -> None:
        """By line, where one decides whether the other end has a part: the cut must not matter."""
        by_line = self._streams and not self.begun
        for each in _LINE.findall(lines) if by_line else [lines]:
            await self._put(await self._examination.feed(each))

    @property
    def _streams(self) -> bool:
        """Whether there is no room for it, and for what it has become."""
        return self._literal.size > self._hold and self._literal.came > self._hold

    async def _put(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        if not self._streams:
            if self._size > 2 * self._hold + BLOCK:
                raise self._changed.ending()
        elif self._size > _END:
            held = b"".join(self._held)
            self._held, self._size = [held[-_END:]], _END
            await self._send(held[:-_END])

    async def _send(self, data: bytes) -> None:
        """@raise Denied: it is not what was announced."""
        if not self.begun:
            self.begun = True
            self._left = self._literal.size
            await self._outlet.begin(self._left)
        self._left -= len(data)
        if self._left < 0:
            raise self._changed.ending()
        await self._outlet.send(data)

    @property
    def _changed(self) -> Refusal:
        reason = f"a message of {self._literal.size} bytes, too large to be held, would be changed"
        return Refusal("It is too large to be changed", reason, "hold_bytes")

    async def _complete(self) -> None:
        held = b"".join(self._held)
        if self._examination.open:
            held = held.removesuffix(b"\r\n")
        if self._streams:
            await self._send(held)
            if self._left:
                raise self._changed.ending()
        else:
            self.begun = True
            await self._outlet.begin(len(held))
            await self._outlet.send(held)

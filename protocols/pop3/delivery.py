"""
Delivery: a message on its way to the client.

What may yet be refused waits while there is room; so the client gets something else in its
place, and hears the size that the message has in the end. When there is none any more, the
client gets the answer, and all of the message as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.interfaces import CLIENT, ISession
from protocols.mime.lines import END, stuffed
from protocols.pop3.reply import Reply

_UNKNOWN_SIZE = Reply(True, b"Message follows")


class Delivery:
    """
    One message.

    @param reply: the server's, which is passed on where nothing is held.
    @param hold: so many bytes may be held; C{None}: nothing is judged.
    @ivar begun: the client has got the answer, and perhaps more.
    @ivar size: bytes that it got, or that are held for it; dots that are added for the way
        are not counted.
    """

    def __init__(self, session: ISession, reply: Reply, hold: int | None) -> None:
        self._session = session
        self._reply = reply
        self._judged = hold is not None
        self._room = hold or 0
        self._held: list[bytes] = []
        self.begun = False
        self.size = 0

    def pieces(self, block: bytes) -> Iterator[bytes]:
        """
        A block that has come, in pieces: what may still be held; the line that is too much; the
        rest. So what is refused before the client has a part of it, does not depend on the cut.
        """
        room = self._room
        if self.begun or not self._judged or len(block) <= room:
            self._room -= len(block)
            yield block
            return
        cut = block.rfind(b"\n", 0, max(room, 0)) + 1
        line = block.index(b"\n", cut) + 1
        for piece in (block[:cut], block[cut:line], block[line:]):
            self._room -= len(piece)
            if piece:
                yield piece

    def put(self, block: bytes) -> None:
        """What may pass of the last piece."""
        self.size += len(block)
        self._held.append(block)
        if self.begun or not self._judged:
            self._flush()
        elif self._room < 0:
            self._reply = _UNKNOWN_SIZE
            self._flush()

    async def put_rest(self, block: bytes) -> None:
        """
        What a stacked inspector had kept until all had come, and lets through now: no faster
        than the client takes it.
        """
        self._room -= len(block)
        self.put(block)
        if self.begun:
            await self._session.flushed(CLIENT)

    def _flush(self) -> None:
        if not self.begun:
            self.begun = True
            self._session.send(CLIENT, self._reply.written())
        held, self._held = b"".join(self._held), []
        if held:
            self._session.send(CLIENT, stuffed(held))

    def complete(self) -> None:
        """That was all."""
        if self._judged and not self.begun:
            self._reply = Reply(True, b"%d octets" % self.size)
        self._flush()
        self._session.send(CLIENT, END)

    def replace(self, message: bytes) -> None:
        """Another message, in whole lines, in the place of what is held."""
        self._held, self.size = [message], len(message)
        self._judged = True
        self.complete()

    def refuse(self, reply: Reply) -> None:
        """An error in the place of what is held."""
        self._held, self.size, self.begun = [], 0, True
        self._session.send(CLIENT, reply.written())

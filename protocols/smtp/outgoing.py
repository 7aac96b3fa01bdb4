"""
Outgoing: a message on its way to the server, behind DATA.

Nothing but a reset takes back a message that has begun there. So a message
that may yet be refused is held while it fits, and DATA is said when it is
judged, or when it does not fit any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.interfaces import SERVER, ISession
from protocols.mime.lines import END, stuffed
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.server import CONTENT, Server
from protocols.smtp.transaction import Discard


class Outgoing:
    """
    One message.

    @param discard: why it goes nowhere.
    @ivar open: it has begun at the server.
    """

    def __init__(
        self,
        session: ISession,
        server: Server,
        hold: int,
        begun: bool,
        discard: Discard | None = None,
    ) -> None:
        self.open = begun
        self._session = session
        self._server = server
        self._hold = hold
        self._discard = discard
        self._held: list[bytes] = []
        self._size = 0

    def pieces(self, block: bytes) -> Iterator[bytes]:
        """
        A block that has come, in pieces: what may still be held; the line that is too much; the
        rest. So what is refused before the server has begun, does not depend on the cut.
        """
        room = self._hold - self._size
        if self.open or self._discard or len(block) <= room:
            self._size += len(block)
            yield block
            return
        cut = block.rfind(b"\n", 0, max(room, 0)) + 1
        line = block.index(b"\n", cut) + 1
        for piece in (block[:cut], block[cut:line], block[line:]):
            self._size += len(piece)
            if piece:
                yield piece

    async def put(self, block: bytes) -> None:
        """
        What may pass of the next piece.

        @raise Refusal: the server does not want the message.
        """
        early = self._server.early
        if early is not None:
            raise Refusal(early, f"the server refused it before its end: {early.text}")
        if self._discard is not None:
            return
        if self.open:
            self._session.send(SERVER, stuffed(block))
            return
        self._held.append(block)
        if block and self._size > self._hold:  # who is stacked may keep all of it
            await self._begin()

    async def put_rest(self, block: bytes) -> None:
        """
        What a stacked inspector had kept until all had come, and lets through now: no faster
        than the server takes it.

        @raise Refusal: see L{put}.
        """
        self._size += len(block)
        await self.put(block)
        if self.open:
            await self._session.flushed(SERVER)

    async def end(self, rest: bytes) -> Reply:
        """
        The last block. It goes with the dot.

        @return: the server's answer to the message.
        @raise Refusal: the server does not want it, or it goes nowhere.
        """
        if self._discard is not None:
            raise self._discard.refusal()
        if not self.open:
            await self._begin()
        return await self._server.ask(CONTENT, stuffed(rest) + END)

    async def _begin(self) -> None:
        reply = await self._server.ask("DATA", b"DATA\r\n")
        if not reply.goes_on:
            raise Refusal(reply, f"the server refused DATA: {reply.text}")
        self.open = True
        held, self._held = b"".join(self._held), []
        self._session.send(SERVER, stuffed(held))

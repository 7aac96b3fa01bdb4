"""
Outgoing: a message on its way to the server, behind DATA.

Nothing but a reset takes back a message that has begun there. So a message
that may yet be refused is held while it fits, and DATA is said when it is
judged, or when it does not fit any more.
"""

from __future__ import annotations

from gateway.interfaces import SERVER, ISession
from protocols.smtp.content.lines import END, stuffed
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.server import CONTENT, Server


class Outgoing:
    """
    One message.

    @ivar open: it has begun at the server.
    """

    def __init__(self, session: ISession, server: Server, hold: int, begun: bool) -> None:
        self.open = begun
        self._session = session
        self._server = server
        self._hold = hold
        self._held: list[bytes] = []
        self._size = 0

    async def put(self, block: bytes) -> None:
        """
        The next block.

        @raise Refusal: the server does not want the message.
        """
        if self.open:
            self._session.send(SERVER, stuffed(block))
            return
        self._held.append(block)
        self._size += len(block)
        if self._size > self._hold:
            await self._begin()

    async def flushed(self) -> None:
        """Wait until the server has taken what was put, if it gets it already."""
        if self.open:
            await self._session.flushed(SERVER)

    async def end(self, rest: bytes) -> Reply:
        """
        The last block. It goes with the dot.

        @return: the server's answer to the message.
        @raise Refusal: the server does not want it.
        """
        if not self.open:
            await self._begin()
        return await self._server.ask(CONTENT, stuffed(rest) + END)

    async def _begin(self) -> None:
        reply = await self._server.ask("DATA", b"DATA\r\n")
        if reply.code != 354:
            raise Refusal(reply, f"the server refused DATA: {reply.text}")
        self.open = True
        held, self._held = b"".join(self._held), []
        self._session.send(SERVER, stuffed(held))

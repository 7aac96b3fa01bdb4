"""Content in chunks (RFC 3030), sent on in chunks of the gateway's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from protocols.mime.lines import BLOCK, Whole
from protocols.smtp.content.chunk import Chunk
from protocols.smtp.content.content import Content
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.server import LAST, Server
from protocols.smtp.transaction import Discard


class Chunked:
    """
    One message in chunks, on its way to the server.

    @param begin: to be awaited when all has come, and before anything that was kept until then
        leaves.
    @param discard: why it goes nowhere.
    """

    def __init__(
        self,
        content: Content,
        server: Server,
        begin: Callable[[], Awaitable[None]],
        discard: Discard | None = None,
    ) -> None:
        self.content = content
        self._server = server
        self._begin = begin
        self._discard = discard
        self._whole = Whole(content.rules)
        self._ready = b""

    async def take(self, chunk: Chunk) -> None:
        """
        Read a chunk. It is sent on as soon as there is enough.

        @raise Refusal: the message is refused, by the gateway or by the server.
        """
        while piece := await chunk.piece():
            self._whole.feed(piece)
            while block := self._whole.block():
                await self._put(await self.content.feed(block))

    async def _put(self, block: bytes) -> None:
        if self._discard is not None:
            return
        self._ready += block
        while len(self._ready) >= BLOCK:
            ready, self._ready = self._ready[:BLOCK], self._ready[BLOCK:]
            await self._send(ready)

    async def _send(self, ready: bytes) -> None:
        reply = await self._server.ask("BDAT", b"BDAT %d\r\n%b" % (len(ready), ready))
        if not reply.positive:
            raise Refusal(reply, f"the server refused a chunk: {reply.text}")

    async def end(self) -> Reply:
        """
        The last chunk came.

        @return: the server's answer to the message.
        @raise Refusal: the message is refused, or goes nowhere.
        """
        await self._put(await self.content.feed(self._whole.end()))
        await self._put(await self.content.end())
        piece = await self.content.rest()
        await self._begin()
        while piece:
            await self._put(piece)
            piece = await self.content.rest()
        if self._discard is not None:
            raise self._discard.refusal()
        ready = self._ready
        return await self._server.ask(LAST, b"BDAT %d LAST\r\n%b" % (len(ready), ready))

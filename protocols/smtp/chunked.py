"""Content in chunks (RFC 3030), sent on in chunks of the gateway's own."""

from __future__ import annotations

from protocols.smtp.content.chunk import Chunk
from protocols.smtp.content.content import Content
from protocols.smtp.content.lines import BLOCK, Whole
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.server import LAST, Server
from protocols.smtp.settings import SMTPSettings


class Chunked:
    """One message in chunks, on its way to the server."""

    def __init__(self, content: Content, server: Server, settings: SMTPSettings) -> None:
        self.content = content
        self._server = server
        self._whole = Whole(settings.bare_newline == "repair", settings.line_bytes)
        self._ready = b""

    async def take(self, chunk: Chunk) -> None:
        """
        Read a chunk. It is sent on as soon as there is enough.

        @raise Refusal: the message is refused, by the gateway or by the server.
        """
        while piece := await chunk.piece():
            self._ready += await self.content.feed(self._whole.feed(piece))
            if len(self._ready) >= BLOCK:
                await self._send()

    async def _send(self) -> None:
        ready, self._ready = self._ready, b""
        reply = await self._server.ask("BDAT", b"BDAT %d\r\n%b" % (len(ready), ready))
        if not reply.positive:
            raise Refusal(reply, f"the server refused a chunk: {reply.text}")

    async def end(self) -> Reply:
        """
        The last chunk came.

        @return: the server's answer to the message.
        @raise Refusal: the message is refused.
        """
        self._ready += await self.content.feed(self._whole.end())
        self._ready += await self.content.end()
        while piece := await self.content.rest():
            if len(self._ready) >= BLOCK:
                await self._send()
            self._ready += piece
        ready = self._ready
        return await self._server.ask(LAST, b"BDAT %d LAST\r\n%b" % (len(ready), ready))

"""Content in chunks (RFC 3030): read by its length, and sent on in chunks of the gateway's own."""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.smtp.content import Content
from protocols.smtp.deadline import Waits
from protocols.smtp.fault import Fault
from protocols.smtp.lines import BLOCK, Whole
from protocols.smtp.reply import Reply
from protocols.smtp.server import LAST, Server
from protocols.smtp.settings import SMTPSettings


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

    async def skip(self, refused: Fault, most: int) -> None:
        """
        Read the rest, which nobody wants, so that the client listens when it is told.

        @raise Denied: it is more than C{most} bytes.
        """
        if self._left > most:
            raise Denied(refused.reason, refused.reply.data())
        while await self.piece():
            pass


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

        @raise Fault: the message is refused, by the gateway or by the server.
        """
        while piece := await chunk.piece():
            self._ready += await self.content.feed(self._whole.feed(piece))
            if len(self._ready) >= BLOCK:
                await self._send()

    async def _send(self) -> None:
        ready, self._ready = self._ready, b""
        reply = await self._server.ask("BDAT", b"BDAT %d\r\n%b" % (len(ready), ready))
        if not reply.positive:
            raise Fault(reply, f"the server refused a chunk: {reply.text}")

    async def end(self) -> Reply:
        """
        The last chunk came.

        @return: the server's answer to the message.
        @raise Fault: the message is refused.
        """
        ready = self._ready + await self.content.feed(self._whole.end())
        ready += await self.content.end()
        return await self._server.ask(LAST, b"BDAT %d LAST\r\n%b" % (len(ready), ready))

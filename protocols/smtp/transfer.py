"""
Transfer: brings a message from the client to the server, behind DATA or in chunks.

A message that is refused behind DATA costs the session, since nothing else
can take back what the server has of it: the connection to the server is reset
before the dot. In chunks, RSET does it.
"""

from __future__ import annotations

from typing import Any

from gateway.inspector import Reader
from gateway.interfaces import SERVER, Denied, ISession
from protocols.smtp.chunked import Chunk, Chunked
from protocols.smtp.content import Content
from protocols.smtp.fault import Fault
from protocols.smtp.lines import END, GREEDY, Dotted, stuffed
from protocols.smtp.reply import Reply
from protocols.smtp.server import CONTENT, Server
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transaction import queue_id


class Transfer:
    """
    The messages of one session, one after the other.

    @ivar open: a message has begun, and its end has not been sent.
    """

    def __init__(self, session: ISession, server: Server) -> None:
        self.open = False
        self._session = session
        self._settings: SMTPSettings = session.settings
        self._server = server
        self._chunked: Chunked | None = None

    async def dotted(self, read: Reader, envelope: dict[str, Any]) -> Reply:
        """
        What follows DATA.

        @param envelope: audit fields.
        @return: the server's answer.
        @raise Denied: the message is refused, or has no end.
        """
        content = Content(self._session)
        source = Dotted(read, self._settings.bare_newline == "repair", self._settings.line_bytes)
        self.open = True
        try:
            rest = await self._stream(source, content)
        except Fault as refused:
            self._log(envelope, content, refused.reply, refused.reason)
            await self._drain(source)
            raise Denied(refused.reason, refused.reply.data()) from None
        finally:
            content.cancel()
        reply = await self._server.ask(CONTENT, rest + END)
        self.open = False
        self._log(envelope, content, reply)
        return reply

    async def _stream(self, source: Dotted, content: Content) -> bytes:
        """Send all but the rest, which goes with the dot."""
        while block := await source.block():
            self._session.send(SERVER, stuffed(await content.feed(block)))
        return stuffed(await content.end())

    async def _drain(self, source: Dotted) -> None:
        """Read on for a while, so that the client listens when it is told."""
        most = source.size + GREEDY * self._settings.message_bytes
        while source.size < most and await source.block():
            pass

    async def chunk(self, chunk: Chunk, last: bool, envelope: dict[str, Any]) -> Reply:
        """
        One chunk of a message (RFC 3030, section 2), all of which is read.

        @return: the server's answer, or the gateway's own: a refusal, or 250
            for a chunk that is not the last one.
        @raise Denied: there is a line that may not be.
        """
        chunked = self._chunked
        if chunked is None:
            chunked = self._chunked = Chunked(Content(self._session), self._server, self._settings)
            self.open = True
        try:
            await chunked.take(chunk)
            if not last:
                return Reply.of(250, f"2.0.0 {chunk.size} octets received")
            reply = await chunked.end()
            self._log(envelope, chunked.content, reply)
        except Fault as refused:
            self._log(envelope, chunked.content, refused.reply, refused.reason)
            await chunk.skip()
            reply = refused.reply
            if reply.code != 421:
                await self._server.ask("RSET", b"RSET\r\n")
        self.forget()
        return reply

    def _log(
        self, envelope: dict[str, Any], content: Content, reply: Reply, refused: str = ""
    ) -> None:
        fields = {**envelope, "answer": reply.text}
        if refused:
            fields["refused"] = refused
        else:
            fields["size"] = content.size
        if not refused and reply.positive and queue_id(reply):
            fields["queue_id"] = queue_id(reply)
        self._session.log("smtp", **fields)
        if not refused:
            self._session.log("email", **content.record())

    def forget(self) -> None:
        """The transaction is over."""
        self.open = False
        if self._chunked is not None:
            self._chunked.content.cancel()
        self._chunked = None

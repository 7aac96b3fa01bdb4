"""
Transfer: brings a message from the client to the server, behind DATA or in chunks.

A message that is refused costs the session only if the server has a part of it
behind DATA: the connection to the server is then reset before the dot. In
chunks, and if it was held, RSET ends the transaction there.
"""

from __future__ import annotations

from typing import Any

from gateway.envelope import Envelope, SmtpEnvelope
from gateway.interfaces import Denied, ISession
from protocols.smtp.chunked import Chunked
from protocols.smtp.content.chunk import Chunk
from protocols.smtp.content.content import Content
from protocols.smtp.content.dotted import Dotted
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.outgoing import Outgoing
from protocols.smtp.server import Server
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transaction import queue_id

GREEDY = 4
"""After a refusal, so many times the limit is still read, so that the client hears of it."""


def _told(envelope: dict[str, Any]) -> Envelope:
    """
    What a stacked inspector is told.

    @param envelope: audit fields.
    """
    sender, recipients = envelope["mail_from"][1:-1], envelope.get("rcpt_to", ())
    told = SmtpEnvelope(envelope["helo"], sender, tuple(each[1:-1] for each in recipients))
    return Envelope(protocol="smtp", media_type="message/rfc822", smtp=told)


class Transfer:
    """
    The messages of one session, one after the other.

    @ivar recorded: there is an audit record of the present one.
    """

    def __init__(
        self,
        session: ISession,
        server: Server,
    ) -> None:
        self._session = session
        self._settings: SMTPSettings = session.settings
        self._server = server
        self.recorded = False
        self._outgoing: Outgoing | None = None
        self._chunked: Chunked | None = None

    @property
    def open(self) -> bool:
        """Whether a message has begun, and its end has not been sent to the server."""
        return self._chunked is not None or (self._outgoing is not None and self._outgoing.open)

    async def dotted(
        self, source: Dotted, envelope: dict[str, Any], trace: bytes, begun: bool
    ) -> Reply:
        """
        What follows DATA.

        @param envelope: audit fields.
        @param trace: a field for the top of the header.
        @param begun: the server has agreed to DATA; else the message is held.
        @return: the answer: the server's, or to a message that was refused in
            good time the gateway's.
        @raise Denied: the message is refused, or has no end.
        """
        content = Content(self._session, trace, _told(envelope))
        outgoing = Outgoing(self._session, self._server, self._settings.hold_bytes, begun)
        self._outgoing = outgoing
        try:
            while block := await source.block():
                await outgoing.put(await content.feed(block))
            last = await content.end()
            while piece := await content.rest():
                await outgoing.put(last)
                await outgoing.flushed()
                last = piece
            reply = await outgoing.end(last)
        except Refusal as refused:
            self._record(envelope, content, refused.reply, refused)
            reply = await self._refuse(source, outgoing, refused)
        else:
            self._record(envelope, content, reply)
        finally:
            content.cancel()
            self._outgoing = None
        return reply

    async def _refuse(self, source: Dotted, outgoing: Outgoing, refused: Refusal) -> Reply:
        """
        @raise Denied: nothing can follow: the server has a part of the message,
            or nobody knows where it ends.
        """
        ended = await source.skip(GREEDY * self._settings.message_bytes)
        if outgoing.open or not ended:
            raise Denied(refused.reason, refused.reply.data())
        await self._take_back(refused.reply)
        return refused.reply

    async def _take_back(self, reply: Reply) -> None:
        """End the transaction at the server, unless it has ended the session itself."""
        if reply.code == 421:
            return
        answer = await self._server.ask("RSET", b"RSET\r\n")
        if answer.code == 421:
            reason = f"the server ended the session: {answer.text}"
            raise Denied(reason, reply.data() + answer.data())

    async def chunk(
        self, chunk: Chunk, last: bool, envelope: dict[str, Any], trace: bytes
    ) -> Reply:
        """
        One chunk of a message (RFC 3030, section 2), all of which is read.

        @return: the server's answer, or the gateway's own: a refusal, or 250
            for a chunk that is not the last one.
        """
        chunked = self._chunked
        if chunked is None:
            chunked = self._chunked = Chunked(
                Content(self._session, trace, _told(envelope)), self._server, self._settings
            )
        try:
            await chunked.take(chunk)
            if not last:
                return Reply.of(250, f"2.0.0 {chunk.size} octets received")
            reply = await chunked.end()
            self._record(envelope, chunked.content, reply)
        except Refusal as refused:
            self._record(envelope, chunked.content, refused.reply, refused)
            await chunk.skip(refused, GREEDY * self._settings.message_bytes)
            reply = refused.reply
            await self._take_back(reply)
        self.forget()
        return reply

    def _record(
        self,
        envelope: dict[str, Any],
        content: Content,
        reply: Reply,
        refused: Refusal | None = None,
    ) -> None:
        gateway: dict[str, Any] = {"answer": reply.text}
        if refused is not None:
            gateway |= {"verdict": "denied", "reason": refused.reason}
        else:
            gateway |= {"verdict": "passed", "size": content.size}
            if reply.positive and queue_id(reply):
                gateway["queue_id"] = queue_id(reply)
        if content.verdict():
            gateway["stacked"] = content.verdict()
        self.recorded = True
        self._session.record("smtp", gateway, refused.by if refused else "", **envelope)
        email, own = content.record()
        if email or own:
            self._session.record("email", own, **email)

    def forget(self) -> None:
        """The transaction is over."""
        if self._chunked is not None:
            self._chunked.content.cancel()
        self._chunked = None

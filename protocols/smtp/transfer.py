"""
Transfer: brings a message from the client to the server, behind DATA or in chunks.

A message that is refused costs the session only if the server has a part of it
behind DATA: the connection to the server is then reset before the dot. In
chunks, and if it was held, RSET ends the transaction there.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import frozen

from gateway.envelope import Envelope, Readdressed, SmtpEnvelope
from gateway.inspector import Reader, Waits
from gateway.interfaces import Denied, ISession
from protocols.mime.dotted import Dotted
from protocols.mime.unfit import Unfit
from protocols.smtp.chunked import Chunked
from protocols.smtp.content.chunk import Chunk
from protocols.smtp.content.content import Content, unfit
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import Reply
from protocols.smtp.outgoing import Outgoing
from protocols.smtp.readdressing import LATER, Agreed, readdress
from protocols.smtp.server import Server
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transaction import Discard, queue_id

GREEDY = 4
"""After a refusal, so many times the limit is still read, so that the client hears of it."""


@frozen
class Mail:
    """
    What is known of a message before its content comes.

    @ivar envelope: fields of its audit record, and C{others}: the gateway's own.
    @ivar agreed: what the server was told of it.
    @ivar trace: a field for the top of its header.
    @ivar discard: why nobody will get it.
    """

    envelope: dict[str, Any]
    others: dict[str, Any]
    agreed: Agreed
    trace: bytes = b""
    discard: Discard | None = None

    def told(self) -> Envelope:
        """What a stacked inspector is told."""
        sender, recipients = self.envelope["mail_from"][1:-1], self.envelope.get("rcpt_to", ())
        helo = self.envelope["helo"]
        told = SmtpEnvelope(helo, sender, tuple(each[1:-1] for each in recipients))
        return Envelope(protocol="smtp", media_type="message/rfc822", smtp=told)


class Transfer:
    """
    The messages of one session, one after the other.

    @ivar recorded: there is an audit record of the present one.
    @ivar refused: why the present one is refused, of which the client has yet to hear, and by what.
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
        self.refused: tuple[str, str] | None = None
        self._outgoing: Outgoing | None = None
        self._chunked: Chunked | None = None

    @property
    def open(self) -> bool:
        """Whether a message has begun, and its end has not been sent to the server."""
        return self._chunked is not None or self.flows

    @property
    def flows(self) -> bool:
        """Whether one flows behind DATA, so that the server may refuse it before its end."""
        return self._outgoing is not None and self._outgoing.open

    async def dotted(self, read: Reader, waits: Waits, mail: Mail, begun: bool) -> Reply:
        """
        What follows DATA.

        @param begun: the server has agreed to DATA; else the message is held.
        @return: the answer: the server's, or to a message that was refused in
            good time the gateway's.
        @raise Denied: the message is refused, or has no end.
        """
        content = Content(self._session, mail.trace, mail.told())
        source = Dotted(read, content.rules, waits, speaks_on=True)
        hold = self._settings.hold_bytes
        outgoing = Outgoing(self._session, self._server, hold, begun, mail.discard)
        self._outgoing = outgoing
        try:
            while block := await source.block():
                for piece in outgoing.pieces(block):
                    await outgoing.put(await content.feed(piece))
            last = await content.end()
            piece = await content.rest()
            await _readdress(self._server, content, mail, outgoing.open)
            while piece:
                await outgoing.put_rest(last)
                last, piece = piece, await content.rest()
            reply = await outgoing.end(last)
        except (Refusal, Unfit) as error:
            reply = await self._refuse(source, outgoing, content, mail, _told(error))
        else:
            self._record(mail, content, reply)
        finally:
            content.cancel()
            self._outgoing = None
        return reply

    async def _refuse(
        self, source: Dotted, outgoing: Outgoing, content: Content, mail: Mail, refused: Refusal
    ) -> Reply:
        """
        @raise Denied: nothing can follow: the server has a part of the message,
            or nobody knows where it ends.
        """
        self.refused = refused.reason, refused.by
        ended = await source.skip(GREEDY * self._settings.message_bytes)
        if outgoing.open or not ended:
            self._record(mail, content, refused.reply, refused)
            raise Denied(refused.reason, refused.reply.data())
        await self._take_back(refused.reply)
        self._record(mail, content, refused.reply, refused)
        return refused.reply

    async def _take_back(self, reply: Reply) -> None:
        """End the transaction at the server, unless it has ended the session itself."""
        if reply.code == 421:
            return
        answer = await self._server.ask("RSET", b"RSET\r\n")
        if answer.code == 421:
            reason = f"the server ended the session: {answer.text}"
            raise Denied(reason, reply.data() + answer.data())

    async def chunk(self, chunk: Chunk, last: bool, mail: Mail) -> Reply:
        """
        One chunk of a message (RFC 3030, section 2), all of which is read.

        @return: the server's answer, or the gateway's own: a refusal, or 250
            for a chunk that is not the last one.
        """
        chunked = self._chunked
        if chunked is None:
            content = Content(self._session, mail.trace, mail.told())
            begin = partial(_readdress, self._server, content, mail, False)
            chunked = self._chunked = Chunked(content, self._server, begin, mail.discard)
        try:
            await chunked.take(chunk)
            if not last:
                return Reply.of(250, f"2.0.0 {chunk.size} octets received")
            reply = await chunked.end()
            self._record(mail, chunked.content, reply)
        except (Refusal, Unfit) as error:
            refused = _told(error)
            self.refused = refused.reason, refused.by
            await chunk.skip(refused, GREEDY * self._settings.message_bytes)
            reply = refused.reply
            await self._take_back(reply)
            self._record(mail, chunked.content, reply, refused)
        self.forget()
        return reply

    def _record(
        self, mail: Mail, content: Content, reply: Reply, refused: Refusal | None = None
    ) -> None:
        """Of a message whose client hears this now."""
        gateway: dict[str, Any] = {**mail.others, "answer": reply.text}
        if refused is not None:
            gateway |= {"verdict": "denied", "reason": refused.reason}
        else:
            gateway |= {"verdict": "passed", "size": content.size}
            if reply.positive and queue_id(reply):
                gateway["queue_id"] = queue_id(reply)
        if content.to is not None and refused is None:
            gateway["readdressed"] = _changed(content.to)
        if content.verdict:
            gateway["stacked"] = content.verdict
        self.recorded = True
        self._session.record("smtp", gateway, refused.by if refused else "", **mail.envelope)
        content.record()

    def forget(self) -> None:
        """The transaction is over."""
        self.refused = None
        if self._chunked is not None:
            self._chunked.content.cancel()
        self._chunked = None


async def _readdress(server: Server, content: Content, mail: Mail, open: bool) -> None:
    """
    Give a message the envelope that a filter wants for it.

    @param open: the server has agreed to DATA.
    @raise Refusal: it can't have that.
    """
    if content.to is None or mail.discard is not None:
        return
    if open:
        reason = "a filter changes the envelope, which waits for no message: hold_bytes is 0"
        raise Refusal(LATER, reason, "hold_bytes")
    await readdress(server, mail.agreed, content.to)


def _changed(to: Readdressed) -> dict[str, Any]:
    """For the record."""
    changed: dict[str, Any] = {
        "added": [f"<{each.address}>" for each in to.added],
        "removed": [f"<{each}>" for each in to.removed],
    }
    if to.sender is not None:
        changed["mail_from"] = f"<{to.sender.address}>"
    return {name: value for name, value in changed.items() if value}


def _told(error: Refusal | Unfit) -> Refusal:
    return unfit(error) if isinstance(error, Unfit) else error

"""
Retrieved: one message on its way from the server to the client (RETR, TOP).

It is read to the line with its dot, in lines that nobody can misread, judged as a message
of SMTP is, and written anew. As long as there is room, and something judges it, it waits
until that is done: a message that is refused until then costs the client nothing but the
message. Later, the client has a part of it, and the session ends without the dot.
"""

from __future__ import annotations

from typing import Any

from gateway.envelope import Envelope
from gateway.inspector import Reader, Waits
from gateway.interfaces import ISession
from protocols.mailbox.refused import later, refused_by, words
from protocols.mime.dotted import Dotted
from protocols.mime.lines import Rules
from protocols.mime.notice import beginning, notice
from protocols.mime.objection import Objection
from protocols.mime.screening import Screening
from protocols.mime.unfit import Unfit
from protocols.pop3.command import Command
from protocols.pop3.delivery import Delivery
from protocols.pop3.refusal import Refusal
from protocols.pop3.reply import Reply
from protocols.pop3.settings import Pop3Settings

LARGEST = 1 << 30
"""Bytes of a refused message that are read to its end, so that the session can go on."""


class Retrieved:
    """
    One message.

    @param reply: the server's, which is passed on when it is known what follows.
    @ivar size: bytes that came.
    @ivar answer: what the client heard that was not the server's; empty: nothing.
    """

    def __init__(self, session: ISession, command: Command, reply: Reply, user: str) -> None:
        settings: Pop3Settings = session.settings
        self._session = session
        self._settings = settings
        self._command = command
        envelope = Envelope(
            protocol="pop3", direction="download", user=user, media_type="message/rfc822"
        )
        self._screening = Screening(
            session, settings, settings.stack, settings.line_bytes, envelope
        )
        hold = settings.hold_bytes if settings.waits else None
        self._delivery = Delivery(session, reply, hold)
        self.size = 0
        self.answer = ""

    @property
    def begun(self) -> bool:
        """Whether the client has got the answer, and perhaps more."""
        return self._delivery.begun

    async def run(self, read: Reader, waits: Waits) -> Refusal | None:
        """
        Bring it over.

        @return: why it was refused; C{None} if it was not.
        @raise Denied: it was refused, and the session can't go on.
        """
        settings = self._settings
        rules = Rules(settings.bare_newline == "repair", settings.line_bytes)
        source = Dotted(read, rules, waits, speaks_on=False)
        try:
            while block := await source.block():
                for piece in self._delivery.pieces(block):
                    await self._feed(piece)
            self._delivery.put(await self._screening.end())
            while piece := await self._screening.rest():
                await self._delivery.put_rest(piece)
        except (Objection, Unfit, Refusal) as error:
            refusal = _refusal(error)
            await self._replace(source, refusal, later(error))
            return refusal
        finally:
            self._screening.cancel()
        self._delivery.complete()
        return None

    async def _feed(self, piece: bytes) -> None:
        """@raise Refusal: it is too large."""
        self.size += len(piece)
        most = self._settings.message_bytes
        if most and self.size > most:
            reason = f"a message of more than {most} bytes"
            raise Refusal("The message is too large", reason, "message_bytes")
        self._delivery.put(await self._screening.feed(piece))

    # What is refused

    async def _replace(self, source: Dotted, refusal: Refusal, again: bool) -> None:
        """
        Say why, in the place of the message.

        @param again: it may be fetched again, and pass.
        @raise Denied: the client has a part of it, or it has no end.
        """
        if self.begun:
            raise refusal.ending()
        if not await source.skip(self._settings.message_bytes or LARGEST):
            raise refusal.ending(refusal.reply.written())
        self.answer = refusal.reply.text.decode("ascii")
        if again or self._settings.refused == "error":
            self._delivery.refuse(refusal.reply)
            return
        said = notice(self.answer, self._screening.email, self._session.date())
        if self._command.keyword == "TOP":
            said = beginning(said, int(self._command.words[1]))
        self._delivery.replace(said)

    # For the record

    def record(self, whole: bool = False) -> dict[str, Any]:
        """
        What EVE has no field for; and writes the record of the message itself.

        @param whole: all of it has come, and passed.
        """
        self._screening.record()
        told: dict[str, Any] = {}
        if whole:
            told["size"] = self.size
            if self._delivery.size != self.size:
                told["sent"] = self._delivery.size
        if self._settings.stack:
            told["stacked"] = self._screening.verdict
        return told


def _refusal(error: Objection | Unfit | Refusal) -> Refusal:
    if isinstance(error, Refusal):
        return error
    return Refusal(words(error), error.reason, refused_by(error))

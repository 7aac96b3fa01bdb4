"""An Examination: one message, judged while it passes, in either direction."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.envelope import Direction, Envelope
from gateway.interfaces import ISession
from protocols.imap.refusal import Refusal
from protocols.imap.section import split
from protocols.imap.settings import ImapSettings
from protocols.mailbox.refused import later, refused_by, words
from protocols.mime.lines import Rules, Whole, repaired
from protocols.mime.message import Message
from protocols.mime.objection import Objection
from protocols.mime.screening import Screening
from protocols.mime.unfit import Unfit

OBJECTIONS = (Objection, Unfit)
"""What an examination raises: the message is refused."""


class Examination(Screening):
    """
    Takes the bytes of a message, cut anywhere, and gives back what may pass of it.

    @ivar open: its last line had no end, and got one, which is to be taken off what came out last.
    """

    def __init__(self, session: ISession, direction: Direction, user: str) -> None:
        settings: ImapSettings = session.settings
        envelope = Envelope(
            protocol="imap", direction=direction, user=user, media_type="message/rfc822"
        )
        super().__init__(session, settings, settings.stack, settings.line_bytes, envelope)
        self._whole = Whole(Rules(settings.bare_newline == "repair", settings.line_bytes))
        self.open = False

    def lines(self, piece: bytes) -> Iterator[bytes]:
        """
        Some bytes; the lines that are whole with them.

        @raise Unfit: the message is refused, here and below.
        """
        self._whole.feed(piece)
        return iter(self._whole.block, b"")

    async def end(self) -> bytes:
        """That was all; what may pass, and then L{rest}."""
        last = self._whole.end()
        self.open = bool(last)
        out = await self.feed(last) if last else b""
        return out + await super().end()


def refusal(error: Objection | Unfit) -> Refusal:
    """Why a message is refused, in the protocol's words."""
    code = "UNAVAILABLE" if later(error) else "CANNOT"
    return Refusal(words(error), error.reason, refused_by(error), code)


class Watched:
    """
    A message that passes as it is, for its record only.

    @param whole: it is one.
    """

    def __init__(self, settings: ImapSettings, whole: bool) -> None:
        self._whole = Whole(Rules(True, settings.line_bytes))
        self._message = Message(settings)
        self._looks = whole

    def feed(self, piece: bytes) -> None:
        """Some bytes."""
        if not self._looks:
            return
        self._whole.feed(piece)
        try:
            for block in iter(self._whole.block, b""):
                self._message.feed(block)
        except OBJECTIONS:
            self._looks = False

    def record(self, session: ISession) -> None:
        """That was all."""
        email, _ = self._message.record()
        if email:
            session.record("email", {}, **email)


def judged_header(settings: ImapSettings, data: bytes) -> bytes:
    """
    What may pass of a header, or of some of its fields, of which nothing else is known.

    @raise Objection: a message with that may not pass.
    """
    if not settings.judges or not data:
        return data
    lines = repaired(data if data.endswith(b"\r\n") else data + b"\r\n")
    message = Message(settings)
    judged = message.feed(lines) + message.end()
    return split(judged).header if data.endswith(b"\r\n\r\n") else judged

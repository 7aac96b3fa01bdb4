"""A Screening: one message on its way, judged by the rules, then by a stacked inspector if any."""

from __future__ import annotations

from typing import Any

from gateway.envelope import Envelope, Readdressed
from gateway.interfaces import ISession
from protocols.mime.message import Message
from protocols.mime.settings import ContentSettings
from protocols.mime.stacked import Stacked


class Screening:
    """
    Takes the blocks of a message, whole lines, and gives back what may pass of it.

    @param service: whose inspector it has to pass; empty: none.
    @param line_bytes: the longest line of what that inspector makes of it.
    @param trace: a field for the top of its header.
    """

    def __init__(
        self,
        session: ISession,
        settings: ContentSettings,
        service: str,
        line_bytes: int,
        envelope: Envelope,
        trace: bytes = b"",
    ) -> None:
        self._session = session
        self._message = Message(settings, trace)
        self._stacked = Stacked(session, service, line_bytes, envelope) if service else None

    async def feed(self, block: bytes) -> bytes:
        """
        The next block; what is ready of the message.

        @raise Objection: the message is refused by a rule; here and below.
        @raise Unfit: it is refused by the stacked inspector; here and below.
        """
        return await self._examine(self._message.feed(block))

    async def end(self) -> bytes:
        """The message is complete; what is ready of its rest, and then L{rest}."""
        ready = await self._examine(self._message.end())
        if self._stacked is not None:
            self._stacked.end()
        return ready

    async def rest(self) -> bytes:
        """What a stacked inspector has kept until the end, piece by piece; then, empty."""
        return b"" if self._stacked is None else await self._stacked.rest()

    async def _examine(self, block: bytes) -> bytes:
        return await self._stacked.feed(block) if self._stacked and block else block

    @property
    def to(self) -> Readdressed | None:
        """The envelope that the stacked inspector wants, once L{rest} has said something."""
        return None if self._stacked is None else self._stacked.to

    def cancel(self) -> None:
        """There will be no rest."""
        if self._stacked is not None:
            self._stacked.cancel()

    @property
    def base64(self) -> bool:
        """Whether lines may be cut anywhere, as they are base64."""
        return self._message.base64

    # For the record

    @property
    def verdict(self) -> dict[str, str]:
        """What the stacked inspector said; nothing if there is none, or it did not get that far."""
        return {} if self._stacked is None else self._stacked.record()

    @property
    def email(self) -> dict[str, Any]:
        """What is known of the message, in EVE's names."""
        return self._message.record()[0]

    def record(self) -> None:
        """Write the record of the message itself, if there is something to say."""
        email, own = self._message.record()
        if email or own:
            self._session.record("email", own, **email)

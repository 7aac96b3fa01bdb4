"""Content: one message on its way, and what becomes of it."""

from __future__ import annotations

from typing import Any

from gateway.interfaces import ISession
from protocols.smtp.fault import Fault, fault
from protocols.smtp.settings import SMTPSettings


def too_large(limit: int) -> Fault:
    """A message of more than C{limit} bytes."""
    reason = f"a message of more than {limit} bytes (setting 'message_bytes')"
    return fault(552, "5.3.4 The message is too large", reason)


class Content:
    """
    Takes the blocks of one message, and gives back those that may pass.

    @ivar size: bytes that came.
    """

    def __init__(self, session: ISession) -> None:
        self.size = 0
        self._settings: SMTPSettings = session.settings

    async def feed(self, block: bytes) -> bytes:
        """
        The next block; what is ready of the message is given back, in whole lines.

        @raise Fault: the message is refused.
        """
        self.size += len(block)
        if self.size > self._settings.message_bytes:
            raise too_large(self._settings.message_bytes)
        return block

    async def end(self) -> bytes:
        """
        The message is complete; its rest is given back.

        @raise Fault: the message is refused.
        """
        return b""

    def record(self) -> dict[str, Any]:
        """Audit fields."""
        return {"size": self.size}

"""Refusal: why something is answered by the gateway, and with which words."""

from __future__ import annotations

from gateway.interfaces import PROTOCOL, Denied, blamed
from protocols.pop3.reply import Reply


class Refusal(Exception):
    """
    A command that does not pass, or a message.

    @ivar reply: what the client gets.
    @ivar reason: for the operator, with what refused it if that was the policy.
    @ivar by: what refused it, see L{ISession.record<gateway.interfaces.ISession.record>}.
    """

    def __init__(self, words: str, reason: str = "", by: str = PROTOCOL) -> None:
        super().__init__(reason or words)
        self.reply = Reply(False, words.encode("ascii", "replace"))
        self.reason = blamed(reason or words, by)
        self.by = by

    def ending(self, reply: bytes = b"") -> Denied:
        """The same, where the session can't go on."""
        denied = Denied(self.reason, reply)
        denied.by = self.by
        return denied

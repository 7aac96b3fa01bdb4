"""Refusal: why something is answered by the gateway, and with which words."""

from __future__ import annotations

from gateway.interfaces import PROTOCOL
from protocols.smtp.grammar.reply import Reply


class Refusal(Exception):
    """
    The client asked for what it can't have. It is told so, and may go on.

    @ivar reply: the gateway's answer.
    @ivar reason: for the operator.
    @ivar by: what refused it, see L{ISession.record}.
    """

    def __init__(self, reply: Reply, reason: str = "", by: str = PROTOCOL) -> None:
        super().__init__(reason or reply.text)
        self.reply = reply
        self.reason = reason or reply.text
        self.by = by


def refusal(code: int, text: str, reason: str = "", by: str = PROTOCOL) -> Refusal:
    """A L{Refusal} with a reply of one line."""
    return Refusal(Reply.of(code, text), reason, by)

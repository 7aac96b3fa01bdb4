"""Refusal: why something is answered by the gateway, and with which words."""

from __future__ import annotations

from gateway.interfaces import PROTOCOL, blamed
from protocols.smtp.grammar.reply import Reply


class Refusal(Exception):
    """
    The client asked for what it can't have. It is told so, and may go on.

    @ivar reply: the gateway's answer.
    @ivar reason: for the operator, with what refused it if that was the policy.
    @ivar by: what refused it, see L{ISession.record}.
    """

    def __init__(self, reply: Reply, reason: str = "", by: str = PROTOCOL) -> None:
        self.reply = reply
        self.reason = blamed(reason or reply.text, by)
        self.by = by
        super().__init__(self.reason)


def refusal(code: int, text: str, reason: str = "", by: str = PROTOCOL) -> Refusal:
    """A L{Refusal} with a reply of one line."""
    return Refusal(Reply.of(code, text), reason, by)

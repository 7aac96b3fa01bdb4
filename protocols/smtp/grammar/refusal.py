"""Refusal: why something is answered by the gateway, and with which words."""

from __future__ import annotations

from protocols.smtp.grammar.reply import Reply


class Refusal(Exception):
    """
    The client asked for what it can't have. It is told so, and may go on.

    @ivar reply: the gateway's answer.
    @ivar reason: for the operator.
    """

    def __init__(self, reply: Reply, reason: str = "") -> None:
        super().__init__(reason or reply.text)
        self.reply = reply
        self.reason = reason or reply.text


def refusal(code: int, text: str, reason: str = "") -> Refusal:
    """A L{Refusal} with a reply of one line."""
    return Refusal(Reply.of(code, text), reason)

"""Fault: why something is answered by the gateway, and with which words."""

from __future__ import annotations

from protocols.smtp.reply import Reply


class Fault(Exception):
    """
    The client asked for what it can't have. It is told so, and may go on.

    @ivar reply: the gateway's answer.
    @ivar reason: for the operator.
    """

    def __init__(self, reply: Reply, reason: str = "") -> None:
        super().__init__(reason or reply.text)
        self.reply = reply
        self.reason = reason or reply.text


def fault(code: int, text: str, reason: str = "") -> Fault:
    """A L{Fault} with a reply of one line."""
    return Fault(Reply.of(code, text), reason)

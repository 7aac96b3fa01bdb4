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
    @ivar counts: whether it is one of so many that a client may have.
    @ivar quiet: whether it has no record of its own: there is one of the same kind.
    """

    def __init__(
        self,
        reply: Reply,
        reason: str = "",
        by: str = PROTOCOL,
        *,
        counts: bool = True,
        quiet: bool = False,
    ) -> None:
        self.reply = reply
        self.reason = blamed(reason or reply.text, by)
        self.by = by
        self.counts = counts
        self.quiet = quiet
        super().__init__(self.reason)


def refusal(code: int, text: str, reason: str = "", by: str = PROTOCOL) -> Refusal:
    """A L{Refusal} with a reply of one line."""
    return Refusal(Reply.of(code, text), reason, by)

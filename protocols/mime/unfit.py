"""
Unfit: why a message may not pass, whatever it says: its lines are none, or an inspector that
it runs through does not want it. The words of the answer are the protocol's.
"""

from __future__ import annotations

from gateway.interfaces import PROTOCOL


class Unfit(Exception):
    """
    The message is refused.

    @ivar reason: for the operator.
    @ivar by: the setting that refuses it, if one does: C{bare_newline}, C{line_bytes}.
    """

    def __init__(self, reason: str, by: str = PROTOCOL) -> None:
        super().__init__(reason)
        self.reason = reason
        self.by = by


class Rejected(Unfit):
    """
    A stacked inspector does not let it pass.

    @ivar reply: the words that it has for who is to have an answer; empty: none.
    @ivar later: it is no fault of the message: it may be tried again.
    """

    def __init__(self, reason: str, reply: bytes, later: bool) -> None:
        super().__init__(reason)
        self.reply = reply
        self.later = later

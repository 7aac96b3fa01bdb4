"""Refusal: why something is answered by the gateway, and with which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.interfaces import PROTOCOL, Denied, blamed


class Refusal(Exception):
    """
    A command that does not pass, or a message.

    @ivar status: C{NO}, or C{BAD} where the grammar has no such thing.
    @ivar code: why, for programs (RFC 5530); empty: none.
    @ivar words: what the client reads.
    @ivar reason: for the operator, with what refused it if that was the policy.
    @ivar by: what refused it, see L{ISession.record<gateway.interfaces.ISession.record>}.
    @ivar record: what else is to stand in the record.
    """

    def __init__(
        self, words: str, reason: str = "", by: str = PROTOCOL, code: str = "", status: str = "NO"
    ) -> None:
        super().__init__(reason or words)
        self.status = status
        self.code = code
        self.words = words
        self.reason = blamed(reason or words, by)
        self.by = by
        self.record: Mapping[str, Any] = {}

    @property
    def later(self) -> bool:
        """Whether it may pass when it is tried again (RFC 5530, section 3)."""
        return self.code == "UNAVAILABLE"

    def anew(self) -> Refusal:
        """
        The same, to be raised by who has kept it: an exception knows the frames that it went
        through, and if one of them knows it, that is a circle.
        """
        same = Refusal(self.words, code=self.code, status=self.status)
        same.reason, same.by, same.record = self.reason, self.by, self.record
        return same

    def ending(self, reply: bytes = b"") -> Denied:
        """The same, where the session can't go on."""
        denied = Denied(self.reason, reply)
        denied.by = self.by
        return denied


def bad(words: str, reason: str = "") -> Refusal:
    """What is not of the grammar."""
    return Refusal(words, reason, status="BAD")

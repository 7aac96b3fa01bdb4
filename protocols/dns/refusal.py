"""Refusal: why a message of DNS does not pass, and what is answered in its place."""

from __future__ import annotations

from dns.rcode import Rcode

from gateway.interfaces import PROTOCOL, blamed


class Refusal(Exception):
    """
    A message does not pass.

    @ivar reason: for the operator, with what refused it if that was the policy.
    @ivar rcode: what the client is answered.
    @ivar by: what refused it, see L{ISession.record<gateway.interfaces.ISession.record>}.
    """

    def __init__(self, reason: str, rcode: Rcode = Rcode.FORMERR, by: str = PROTOCOL) -> None:
        super().__init__(reason)
        self.reason = blamed(reason, by)
        self.rcode = rcode
        self.by = by

"""A mail transaction: one sender, its recipients, one message (RFC 5321, section 3.3)."""

from __future__ import annotations

import re

from attrs import define, field, frozen

from protocols.smtp.grammar.address import Mailbox
from protocols.smtp.grammar.command import Command
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.grammar.reply import DISCARDED, Reply

# What servers call the message that they have just taken: Postfix and Sendmail; Exim; OpenSMTPD
# and others that begin with it.
_QUEUED = re.compile(
    r"queued as ([A-Za-z0-9.-]{4,40})|\bid=([A-Za-z0-9-]{4,40})"
    r"|^[25]\.\d+\.\d+ ([A-Za-z0-9]{6,40}) Message accepted",
    re.IGNORECASE,
)


@frozen
class Discard:
    """
    A rule has it that nobody is to get a mail, and that its client does not hear of it.

    @ivar reason: for the operator.
    @ivar by: where the rule is, see L{ISession.record}.
    """

    reason: str
    by: str

    def refusal(self) -> Refusal:
        """To be raised where the mail would leave."""
        return Refusal(DISCARDED, f"{self.reason}: discarded", self.by)


@define
class Transaction:
    """
    What the server has agreed to.

    @ivar discard: why nobody is to get it, by its sender.
    @ivar recipients: those that the server has taken.
    @ivar discarded: those that only the client believes to be taken, and C{why}.
    @ivar overshot: how many recipients there were too many.
    @ivar chunked: a first chunk came, so the content comes in chunks.
    @ivar said: MAIL, and each RCPT that the server has taken.
    """

    sender: Mailbox
    international: bool = False
    discard: Discard | None = None
    recipients: list[Mailbox] = field(factory=list)
    discarded: list[Mailbox] = field(factory=list)
    why: Discard | None = None
    overshot: int = 0
    chunked: bool = False
    said: list[Command] = field(factory=list)


def queue_id(reply: Reply) -> str:
    """The server's name for the message; empty if it does not say."""
    found = _QUEUED.search(reply.lines[-1])
    return next((each for each in found.groups() if each), "") if found else ""

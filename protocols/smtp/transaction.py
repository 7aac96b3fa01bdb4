"""A mail transaction: one sender, its recipients, one message (RFC 5321, section 3.3)."""

from __future__ import annotations

import re

from attrs import define, field

from protocols.smtp.grammar.address import Mailbox
from protocols.smtp.grammar.reply import Reply

# What servers call the message that they have just taken: Postfix and Sendmail; Exim; OpenSMTPD
# and others that begin with it.
_QUEUED = re.compile(
    r"queued as ([A-Za-z0-9.-]{4,40})|\bid=([A-Za-z0-9-]{4,40})"
    r"|^[25]\.\d+\.\d+ ([A-Za-z0-9]{6,40}) Message accepted",
    re.IGNORECASE,
)


@define
class Transaction:
    """
    What the server has agreed to.

    @ivar chunked: a first chunk came, so the content comes in chunks.
    """

    sender: Mailbox
    international: bool = False
    recipients: list[Mailbox] = field(factory=list)
    chunked: bool = False


def queue_id(reply: Reply) -> str:
    """The server's name for the message; empty if it does not say."""
    found = _QUEUED.search(reply.lines[-1])
    return next((each for each in found.groups() if each), "") if found else ""

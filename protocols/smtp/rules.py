"""
Rules: the arrays of tables of C{[smtp]}, about addresses, header fields and attachments.

L{protocols.mime.rules} has what they say of a message; here is how it is refused.
"""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from gateway.inspector import option, pattern, written_at
from protocols.mime import rules
from protocols.smtp.lists import AddressList, read_addresses
from protocols.smtp.values import refusal


@frozen
class AddressRule:
    """Addresses, and whether they are refused. If both are given, one has to match."""

    match: re.Pattern[str] | None = option(
        "Which addresses: a regular expression for the whole address, in small letters and with "
        "the domain as it is in the DNS; empty is the null sender.",
        None,
        read=pattern,
    )
    reply: str = option(
        "How they are refused: for good (5xx), or for now (4xx).",
        "550 5.7.1 Not accepted here",
        read=refusal,
    )
    lists: tuple[AddressList, ...] = option(
        'Which addresses: files with one in each line, or "bob@" in any domain, "a.example" for '
        'a domain, ".a.example" for all below it.',
        (),
        file=read_addresses,
    )
    action: Literal["reject", "discard", "accept"] = option(
        'What to do: "reject" the command; "discard": take the message, and let nobody have it, '
        "or not this recipient.",
        "reject",
    )
    place: str = written_at()

    @property
    def by(self) -> str:
        """What records call it: its place in the policy; empty if no file says it."""
        return rules.at_line(self.place)

    def __attrs_post_init__(self) -> None:
        if self.match is None and not self.lists:
            raise ValueError("say which addresses: match, or lists")


@frozen
class HeaderRule(rules.HeaderRule):
    """What becomes of header fields of one name."""

    reply: str = option(
        "How a message is refused, for reject and require.",
        "550 5.7.1 Not accepted with this header",
        read=refusal,
    )


@frozen
class AttachmentRule(rules.AttachmentRule):
    """Attachments, and what becomes of a message that has them. What is given has to match."""

    reply: str = option(
        "How the message is refused.", "550 5.7.1 Not accepted with this attachment", read=refusal
    )

"""Objection: why a message may not pass. The words of the answer are the protocol's."""

from __future__ import annotations

from enum import Enum

from gateway.interfaces import PROTOCOL
from protocols.mime.rules import AttachmentRule, HeaderRule


class Kind(Enum):
    """What is wrong with a message that no rule refuses."""

    MALFORMED = "malformed"
    """Programs may read it in different ways."""

    TOO_LARGE = "too large"
    """A header is."""

    TOO_MANY = "too many"
    """Parts or attachments are."""


class Objection(Exception):
    """
    The message is refused.

    @ivar reason: for the operator.
    @ivar summary: for the sender, in printable ASCII: a phrase that stands for itself.
    @ivar rule: the rule that refuses it, if one does; else it is of a C{kind}.
    @ivar by: what refuses it: a place in the policy, or the name of a setting.
    """

    def __init__(
        self,
        reason: str,
        summary: str = "",
        kind: Kind = Kind.MALFORMED,
        rule: HeaderRule | AttachmentRule | None = None,
        by: str = PROTOCOL,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.summary = summary
        self.kind = kind
        self.rule = rule
        self.by = by if rule is None else rule.by


def ambiguous(why: str) -> Objection:
    """A message that different programs may read differently."""
    summary = "The message is malformed"
    return Objection(f"the message is ambiguous: {why}", summary, by="malformed")


def header_too_long(limit: int) -> Objection:
    """A header of more than C{limit} bytes."""
    reason = f"a header of more than {limit} bytes"
    return Objection(reason, "The header is too large", Kind.TOO_LARGE, by="header_bytes")


def too_many(what: str, most: int, setting: str) -> Objection:
    """More parts or attachments than there may be."""
    reason = f"more than {most} {what}"
    return Objection(reason, f"The message has too many {what}", Kind.TOO_MANY, by=setting)

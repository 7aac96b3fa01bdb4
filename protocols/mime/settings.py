"""
What may be in a message: the settings that every protocol has which carries messages.

A protocol's own settings class is a subclass of this one.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from gateway.inspector import option
from protocols.mime.rules import AttachmentRule, HeaderRule

MANY = 1000
"""Attachments: so many that nobody meant to set a limit."""


@frozen
class ContentSettings:
    """Which messages may pass."""

    header_bytes: int = option(
        "The largest header of a message, or of a part of it.",
        131072,
        unit="bytes",
        minimum=1024,
        maximum=1048576,
        precedent="Exim: header_maxsize is 1 MiB; Sendmail: MaxHeadersLength is 32 KiB",
    )
    headers: tuple[HeaderRule, ...] = option(
        "What becomes of header fields; the rules are applied one after the other.", ()
    )
    attachments: tuple[AttachmentRule, ...] = option(
        "Which attachments may pass; the first rule that matches counts, and what none matches "
        "may pass.",
        (),
    )
    malformed: Literal["repair", "deny", "pass"] = option(
        "What becomes of messages that programs may read in different ways, if there are rules "
        'for headers or attachments: those can then be walked around. "repair" writes what is '
        'doubtful anew, so that there is one way to read it, and denies what can\'t be; "deny" '
        'denies all of them; "pass" applies the rules to one of the ways.',
        "repair",
    )
    parts_per_message: int = option("How many parts a message may have.", 2000, minimum=1)
    attachments_per_message: int = option("How many a message may have.", MANY, minimum=0)
    hold_bytes: int = option(
        "How much of a message waits here until it is judged, if anything judges it. What is "
        "refused until then costs the client the message; later, the session too, since the "
        "server has a part of it. Then the answer to DATA is the gateway's; 0: the server's.",
        131072,
        unit="bytes",
        minimum=0,
        maximum=16777216,
    )
    nesting: int = option(
        "How deep the parts of a message may be in each other.",
        100,
        minimum=1,
        maximum=1000,
        precedent="Postfix: mime_nesting_limit",
    )

    @property
    def strict(self) -> bool:
        """Whether what is ambiguous is refused."""
        return self.malformed == "deny"

    @property
    def mends(self) -> bool:
        """Whether what is ambiguous is written anew."""
        return self.malformed == "repair"

    @property
    def judges(self) -> bool:
        """Whether there are rules for messages at all."""
        return bool(self.headers) or self.judges_parts

    @property
    def marks(self) -> bool:
        """Whether a message's header waits for what may be found in its parts."""
        return self.hold_bytes > 0 and any(rule.action == "mark" for rule in self.attachments)

    @property
    def looks_inside(self) -> bool:
        """Whether bodies of parts matter."""
        return any(rule.looks_inside for rule in self.attachments)

    @property
    def judges_parts(self) -> bool:
        """Whether it matters which parts a message has."""
        return bool(self.attachments) or self.attachments_per_message < MANY

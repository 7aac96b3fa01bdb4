"""Access: which mailboxes may be used, and for what."""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from gateway.inspector import option, pattern, written_at
from protocols.imap.mailbox import compared
from protocols.mime.rules import at_line


@frozen
class MailboxRule:
    """Mailboxes, and what may be done with them."""

    name: re.Pattern[str] = option(
        "Their names, decoded, with the server's own separators: a regular expression for all of "
        'the name. INBOX is in capitals. "Archive([/.].*)?" is a mailbox and all below it.',
        read=pattern,
    )
    access: Literal["write", "read", "none"] = option(
        '"write": all that commands may do. "read": nothing in it is changed, nor is the mailbox. '
        '"none": there is no such mailbox, as far as clients hear.',
    )
    place: str = written_at()

    @property
    def by(self) -> str:
        """What records call it: its place in the policy."""
        return at_line(self.place) or "mailboxes"


ANY = MailboxRule(re.compile(""), "write")
"""What holds where no rule matches."""


def rule_for(rules: tuple[MailboxRule, ...], name: str) -> MailboxRule:
    """The first one that matches a name."""
    name = compared(name)
    return next((rule for rule in rules if rule.name.fullmatch(name)), ANY)

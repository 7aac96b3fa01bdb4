"""What would become of a mail's envelope and attachments: for the operator who asks before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from protocols.mime.attachment import Attachment
from protocols.mime.part import chosen
from protocols.smtp.grammar.address import Path
from protocols.smtp.grammar.command import parse_command
from protocols.smtp.grammar.refusal import Refusal
from protocols.smtp.permission import check_recipient, check_sender
from protocols.smtp.settings import SMTPSettings
from protocols.smtp.transaction import Discard

Judged = tuple[str, str, str]

UNKNOWN = "application/octet-stream"
"""The type of an attachment of which only the name is known."""


def judge(settings: SMTPSettings, client: str, asks: Any) -> Iterable[Judged] | None:
    """
    What becomes of sender, recipients and attachments; C{None} if none are asked about. What the
    server says to them, nobody knows before.
    """
    if asks.sender is None and not (asks.recipients or asks.attachments):
        return None
    return list(_judged(settings, client, asks))


def _judged(settings: SMTPSettings, client: str, asks: Any) -> Iterator[Judged]:
    if asks.sender is not None:
        yield _path(
            f"MAIL FROM:<{asks.sender}>", settings, lambda path: check_sender(path, settings)
        )
    for each in asks.recipients:
        yield _path(
            f"RCPT TO:<{each}>", settings, lambda path: check_recipient(path, client, settings)
        )
    for name in asks.attachments:
        yield _attachment(name, settings)


def _path(line: str, settings: SMTPSettings, check: Callable[[Path], Discard | None]) -> Judged:
    try:
        path = parse_command(line.encode(), settings.addresses == "lenient").path
        assert path is not None
        discard = check(path)
    except Refusal as refused:
        return line, f"refused, {refused.reply.code}: {refused.reason}", refused.by
    if discard is not None:
        return line, f"taken, and nobody gets it: {discard.reason}", discard.by
    return line, "goes to the server", ""


def _attachment(name: str, settings: SMTPSettings) -> Judged:
    what = f"attachment {name!r}"
    rule, later = chosen(settings.attachments, Attachment(name, (name,), UNKNOWN), [])
    if rule is not None:
        return what, rule.action, rule.by
    undecided = [*later, *(each for each in settings.attachments if each.looks_inside)]
    if undecided:
        return what, "passes, unless its content is what a rule is about", undecided[0].by
    return what, "passes", ""

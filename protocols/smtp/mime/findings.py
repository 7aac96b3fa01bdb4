"""Findings: what is known of a message's attachments, for its header and its record."""

from __future__ import annotations

from attrs import define, field

from protocols.smtp.fault import Fault, fault
from protocols.smtp.mime.attachment import Attachment
from protocols.smtp.settings import SMTPSettings


@define
class Findings:
    """
    Of one message.

    @ivar attachments: those that were found.
    @ivar removed: those in whose place there is a text.
    @ivar marks: fields for the message's header.
    @ivar holds: its header has not passed yet.
    """

    settings: SMTPSettings
    attachments: list[Attachment] = field(factory=list)
    removed: list[Attachment] = field(factory=list)
    marks: list[str] = field(factory=list)
    holds: bool = False

    def found(self, attachment: Attachment) -> None:
        """
        One more.

        @raise Fault: that is too many.
        """
        self.attachments.append(attachment)
        most = self.settings.attachments_per_message
        if len(self.attachments) > most:
            raise too_many("attachments", most, "attachments_per_message")

    def mark(self, line: str) -> bool:
        """Whether the message's header could be marked."""
        if self.holds and line not in self.marks:
            self.marks.append(line)
        return self.holds


def too_many(what: str, most: int, setting: str) -> Fault:
    """More parts or attachments than there may be."""
    reason = f"more than {most} {what} (setting '{setting}')"
    return fault(550, f"5.7.1 The message has too many {what}", reason)

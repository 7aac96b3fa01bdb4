"""Findings: what is known of a message's attachments, for its header and its record."""

from __future__ import annotations

from attrs import define, field

from protocols.mime.attachment import Attachment
from protocols.mime.objection import too_many
from protocols.mime.settings import ContentSettings


@define
class Findings:
    """
    Of one message.

    @ivar attachments: those that were found.
    @ivar removed: those in whose place there is a text.
    @ivar marks: fields for the message's header.
    @ivar holds: its header has not passed yet.
    """

    settings: ContentSettings
    attachments: list[Attachment] = field(factory=list)
    removed: list[Attachment] = field(factory=list)
    marks: list[str] = field(factory=list)
    holds: bool = False

    def found(self, attachment: Attachment) -> None:
        """
        One more.

        @raise Objection: that is too many.
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

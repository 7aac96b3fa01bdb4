"""Findings: what is known of a message's attachments, for its header and its record."""

from __future__ import annotations

from attrs import define, field

from protocols.mime.attachment import Attachment
from protocols.mime.objection import too_many
from protocols.mime.settings import ContentSettings

SHOWN = 50
"""Of each kind, in an audit record."""


@define
class Findings:
    """
    Of one message.

    @ivar parts: how many there are.
    @ivar attachments: those that were found.
    @ivar removed: those in whose place there is a text.
    @ivar repairs: what was written anew, and why.
    @ivar marks: fields for the message's header.
    @ivar holds: its header has not passed yet.
    """

    settings: ContentSettings
    parts: int = 0
    attachments: list[Attachment] = field(factory=list)
    removed: list[Attachment] = field(factory=list)
    repairs: list[str] = field(factory=list)
    marks: list[str] = field(factory=list)
    holds: bool = False

    def counted(self) -> None:
        """
        One more part.

        @raise Objection: that is too many.
        """
        self.parts += 1
        if self.parts > self.settings.parts_per_message:
            raise too_many("parts", self.settings.parts_per_message, "parts_per_message")

    def found(self, attachment: Attachment) -> None:
        """
        One more attachment.

        @raise Objection: that is too many.
        """
        self.attachments.append(attachment)
        most = self.settings.attachments_per_message
        if len(self.attachments) > most:
            raise too_many("attachments", most, "attachments_per_message")

    def mended(self, problem: str) -> None:
        """Something was written anew."""
        if problem not in self.repairs and len(self.repairs) < SHOWN:
            self.repairs.append(problem)

    def mark(self, line: str) -> bool:
        """Whether the message's header could be marked."""
        if self.holds and line not in self.marks:
            self.marks.append(line)
        return self.holds

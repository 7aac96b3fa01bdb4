"""Attachment: what is known of a part, and which rules are about it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from protocols.magic import recognise
from protocols.mime.archive import Member
from protocols.mime.rules import AttachmentRule


@frozen
class Attachment:
    """
    A part, or a file within a text.

    @ivar names: all of its names.
    @ivar type: as declared.
    @ivar detected: as its first bytes show; empty if they show nothing, L{None}
        if nobody has looked.
    @ivar disguised: that is something else than what is declared.
    @ivar attached: it is more than text to be read. Of what is not, only the content counts.
    """

    names: tuple[str, ...]
    type: str
    detected: str | None = None
    disguised: bool = False
    attached: bool = True

    def shown(self, beginning: bytes) -> Attachment:
        """With what its first bytes show."""
        kind = recognise(beginning)
        if kind is None:
            return evolve(self, detected="")
        called = self.type in (kind.type, "application/octet-stream")
        disguised = not called and kind.also.fullmatch(self.type) is None
        return evolve(self, detected=kind.type, disguised=disguised)

    @property
    def name(self) -> str:
        """What the audit calls it."""
        return self.names[0] if self.names else self.type

    def matches(self, rule: AttachmentRule) -> bool:
        """Whether a rule is about it, by any of its names, but for files in archives."""
        if not (self.attached or rule.looks_inside):
            return False
        names = self.names or ("",)
        return (
            rule.types.fullmatch(self.type) is not None
            and any(_named(rule, name) for name in names)
            and (self.disguised or not rule.disguised)
            and (rule.detected is None or rule.detected.fullmatch(self.detected or "") is not None)
        )

    def __str__(self) -> str:
        return f"{self.names}, {self.type}" + (f", in truth {self.detected}" * bool(self.detected))


def _named(rule: AttachmentRule, name: str) -> bool:
    return rule.names.fullmatch(name.lower()) is not None and (
        not rule.extensions or not rule.extensions.isdisjoint(extensions(name))
    )


def extensions(name: str) -> tuple[str, str]:
    """
    The end of a file name, as Windows sees it: without dots and blanks at its end; and
    that of the file if the rest is the name of one of its streams (a.exe::$DATA).
    """
    return _end(name), _end(name.partition(":")[0])


def _end(name: str) -> str:
    _, dot, end = name.lower().rstrip(". \t").rpartition(".")
    return end if dot else ""


def found_in(rule: AttachmentRule, members: Iterable[Member]) -> bool:
    """Whether an archive has a file that a rule is about."""
    return any(
        (not rule.encrypted or each.encrypted)
        and (not rule.archived or not rule.archived.isdisjoint(extensions(each.name)))
        for each in members
    )

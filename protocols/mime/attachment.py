"""Attachment: what is known of a part, and which rules are about it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, field, frozen

from protocols.magic import recognise
from protocols.mime.archive import Member
from protocols.mime.described import Described
from protocols.mime.rules import ANYTHING, AttachmentRule


@frozen
class Attachment:
    """
    A part, or a file within a text.

    @ivar name: as most programs read it; empty if it has none.
    @ivar names: all names that some program may read.
    @ivar type: as declared, and C{types}: all that some program may read.
    @ivar detected: as its first bytes show; empty if they show nothing, C{None}
        if nobody has looked.
    @ivar disguised: that is something else than what is declared.
    @ivar attached: it is more than text to be read. Of what is not, only the content counts.
    """

    name: str
    names: tuple[str, ...]
    type: str
    types: tuple[str, ...] = field()
    detected: str | None = None
    disguised: bool = False
    attached: bool = True

    @types.default
    def _types(self) -> tuple[str, ...]:
        return (self.type,)

    @classmethod
    def of(cls, said: Described) -> Attachment:
        """A part that says so of itself."""
        types = tuple(dict.fromkeys((said.type, *said.types)))
        return cls(said.name, said.names, said.type, types, attached=said.attached)

    def shown(self, beginning: bytes) -> Attachment:
        """With what its first bytes show."""
        kind = recognise(beginning)
        if kind is None:
            return evolve(self, detected="")
        called = self.type in (kind.type, "application/octet-stream")
        disguised = not called and kind.also.fullmatch(self.type) is None
        return evolve(self, detected=kind.type, disguised=disguised)

    @property
    def label(self) -> str:
        """What the audit calls it."""
        return self.name or next(iter(self.names), "") or self.type

    def readings(self) -> frozenset[str]:
        """Under which names a rule is asked about it."""
        return frozenset(self.names) or frozenset(("",))

    def matching(self, rule: AttachmentRule, names: frozenset[str]) -> frozenset[str]:
        """By which of these names a rule is about it, but for files in archives."""
        by_name = bool(self.names) and (rule.extensions or rule.names is not ANYTHING)
        if not (self.attached or rule.looks_inside or by_name):
            return frozenset()
        if not any(rule.types.fullmatch(each) for each in self.types):
            return frozenset()
        if rule.disguised and not self.disguised:
            return frozenset()
        if rule.detected is not None and not rule.detected.fullmatch(self.detected or ""):
            return frozenset()
        return frozenset(name for name in names if _named(rule, name))

    def matches(self, rule: AttachmentRule) -> bool:
        """Whether a rule is about it, by any of its names, but for files in archives."""
        return bool(self.matching(rule, self.readings()))

    def __str__(self) -> str:
        shown = f", in truth {self.detected}" * bool(self.detected)
        return f"{self.label!r}, {self.type}{shown}"


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

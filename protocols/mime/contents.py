"""Contents: what is in the body of a part, as far as it can be found while it passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from protocols.mime import names
from protocols.mime.archive import Archive, Member
from protocols.mime.attachment import Attachment
from protocols.mime.described import Described
from protocols.mime.embedded import Embedded, Found
from protocols.mime.encoding import PLAIN
from protocols.mime.inline import Inline
from protocols.mime.settings import ContentSettings


class Within(Protocol):
    """A message within a file."""

    def feed(self, data: bytes) -> bytes:
        """Some of it; the same is given back as lines, judged."""

    def end(self) -> bytes:
        """That was all."""


class Contents:
    """
    Looks through one body.

    @param within: for a file that mail programs open as a message.
    """

    def __init__(
        self, settings: ContentSettings, described: Described, within: Within | None
    ) -> None:
        self._archive = None
        if any(rule.of_archives for rule in settings.attachments):
            self._archive = Archive()
        self._plain = described.encoding in PLAIN
        self._embedded = None
        if self._plain or described.type.startswith("text/"):
            self._embedded = Embedded()
        self._inline = Inline()
        self._within = within

    def feed(self, said: bytes) -> Iterator[Member | Attachment]:
        """
        The next piece, behind its encoding; what was found.

        @raise Objection: within a file that is a message.
        """
        if self._archive is not None:
            yield from self._archive.feed(said)
        for name, beginning in self._inline.feed(said):
            yield _file(name, beginning)
        if self._embedded is not None:
            yield from _parts(self._embedded.feed(said))
        if self._within is not None:
            self._within.feed(said)

    @property
    def cut(self) -> bool:
        """Whether it ends within what some programs take for a header."""
        return self._plain and self._embedded is not None and self._embedded.cut

    def end(self) -> Iterator[Attachment]:
        """That was all."""
        if self._embedded is not None:
            yield from _parts(self._embedded.end())
        if self._within is not None:
            self._within.end()


def _file(name: str, beginning: bytes) -> Attachment:
    found = Attachment(name, names.plain(name), "application/octet-stream")
    return found.shown(beginning)


def _parts(found: Iterable[Found]) -> Iterator[Attachment]:
    for each in found:
        attachment = Attachment.of(each.said)
        shown = [attachment.shown(beginning) for beginning in each.beginnings]
        detected = [one for one in shown if one.detected]
        yield from detected or (shown[:1] if attachment.attached or attachment.names else ())

"""
Rules about header fields and attachments.

How a message is refused that a rule refuses is not here: each protocol has its
own words, and adds them in a subclass.
"""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from gateway.inspector import option, pattern, written_at
from protocols.mime.values import field_name, field_value, header_line, small

ANYTHING = re.compile(".*", re.DOTALL)


def at_line(place: str) -> str:
    """A place in the policy without its column, as records have it."""
    return ":".join(place.split(":")[:2])


@frozen
class HeaderRule:
    """What becomes of header fields of one name."""

    name: str = option("The name of the field, in any letters.", read=field_name)
    action: Literal["reject", "discard", "remove", "require", "set", "add"] = option(
        'What to do: "reject" messages that have such a field, or "require" it; "discard" them: '
        'take them, and let nobody have them; "remove" all such fields; "set" one in their place, '
        'or where there is none; "add" one more.',
    )
    match: re.Pattern[str] = option(
        "Only fields with such a value: a regular expression for the whole value, decoded and "
        "without line breaks. Not for set and add.",
        ANYTHING,
        read=pattern,
    )
    value: str = option("The value, for set and add.", "", read=field_value)
    place: str = written_at()

    @property
    def by(self) -> str:
        """What records call it: its place in the policy."""
        return at_line(self.place) or "headers"


@frozen
class AttachmentRule:
    """Attachments, and what becomes of a message that has them. What is given has to match."""

    extensions: frozenset[str] = option(
        'The ends of file names: "exe". Left out: any.', frozenset(), read=small
    )
    names: re.Pattern[str] = option(
        "The names of files, in small letters: a regular expression for the whole name.",
        ANYTHING,
        read=pattern,
    )
    types: re.Pattern[str] = option(
        'The types that are declared, such as "application/zip", in small letters: a regular '
        "expression for the whole type.",
        ANYTHING,
        read=pattern,
    )
    detected: re.Pattern[str] | None = option(
        "The types that the first bytes show, whatever is declared, of every part: a regular "
        'expression for the whole type, "application/x-executable" for all programs; empty if '
        "they show none.",
        None,
        read=pattern,
    )
    disguised: bool = option(
        "Only what the first bytes show to be something else than is declared; "
        '"application/octet-stream" may be anything.',
        False,
    )
    archived: frozenset[str] = option(
        "The ends of the names of files in it, if it is a ZIP archive, or has one in it.",
        frozenset(),
        read=small,
    )
    encrypted: bool = option("Only ZIP archives with an encrypted file.", False)
    action: Literal["accept", "reject", "discard", "drop", "mark"] = option(
        'What to do: "accept" the part; "reject" the message; "discard" it: take it, and let '
        'nobody have it; "drop" the part and put a text in '
        'its place; "mark" it with a field in its header, and in that of the message if that is '
        "still held (hold_bytes). What is found too late for that (a file in an archive that has "
        "begun to pass, a file within a text) is rejected.",
        "reject",
    )
    text: str = option(
        "What stands in the place of a part that is dropped, above its name.",
        "An attachment was removed:",
        read=field_value,
    )
    mark: str = option(
        "The field for mark.", "X-Attachment-Warning: not what it should be", read=header_line
    )
    place: str = written_at()

    @property
    def by(self) -> str:
        """What records call it: its place in the policy."""
        return at_line(self.place) or "attachments"

    @property
    def looks_inside(self) -> bool:
        """Whether it takes more than a header to decide."""
        return self.detected is not None or self.disguised or self.of_archives

    @property
    def of_archives(self) -> bool:
        """Whether it is about files in an archive."""
        return self.encrypted or bool(self.archived)

"""Items: what of a message FETCH asks for (RFC 9051, section 6.4.5; RFC 3516)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

from protocols.imap.value import Malformed

_ITEM = re.compile(
    rb"(?P<name>BODY|BINARY)(?P<kind>\.PEEK|\.SIZE)?\[(?P<section>.*)\]"
    rb"(?:<(?P<origin>[0-9]{1,19})(?:\.(?P<count>[1-9][0-9]{0,18}))?>)?",
    re.IGNORECASE | re.DOTALL,
)
_SECTION = re.compile(
    rb"(?P<part>[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8}){0,19})?"
    rb"(?P<dot>\.)?"
    rb"(?:(?P<text>HEADER\.FIELDS(?:\.NOT)?) ?\((?P<fields>[^()]*)\)|(?P<alone>HEADER|TEXT|MIME))?",
    re.IGNORECASE,
)
_NAME = rb"([!#-'+-9;-Z^-z|~]+)"
_FIELD = re.compile(_NAME + b'|"' + _NAME + b'"')

_WHOLE: Mapping[bytes, str] = {
    b"RFC822": "",
    b"RFC822.HEADER": "HEADER",
    b"RFC822.TEXT": "TEXT",
}
"""What has been said before there were sections."""


@frozen
class Item:
    """
    A section of a message: what stands in it.

    @ivar family: C{BODY}, C{BINARY}, C{BINARY.SIZE}, C{RFC822}, as it was asked for.
    @ivar part: the numbers of a part; empty: it is the message.
    @ivar text: C{HEADER}, C{HEADER.FIELDS}, C{HEADER.FIELDS.NOT}, C{TEXT} or C{MIME}; empty: all.
    @ivar fields: of the header, in capitals.
    @ivar peek: the message does not count as read by that.
    @ivar origin: where a part of it begins, in bytes; C{None}: it is all of it.
    @ivar count: how many bytes of it; C{None} in an answer.
    """

    family: str
    part: tuple[int, ...] = ()
    text: str = ""
    fields: tuple[bytes, ...] = ()
    peek: bool = False
    origin: int | None = None
    count: int | None = None

    @property
    def key(self) -> Item:
        """What a question has in common with the answer to it."""
        fields = tuple(sorted(set(self.fields)))
        return Item(self.family, self.part, self.text, fields, False, self.origin)

    @property
    def whole(self) -> bool:
        """Whether it is all of the message."""
        return not (self.part or self.text or self.origin is not None)

    @property
    def lists(self) -> bool:
        """Whether it is some fields of the message's header, as programs show lists of messages."""
        return self.text.startswith("HEADER.") and not self.part and self.origin is None

    @property
    def heads(self) -> bool:
        """Whether it is the message's header."""
        return self.text == "HEADER" and not self.part and self.origin is None

    @property
    def section(self) -> bytes:
        """What stands between the brackets."""
        words = [str(number) for number in self.part] + [self.text] * bool(self.text)
        fields = b" (" + b" ".join(self.fields) + b")" if "FIELDS" in self.text else b""
        return ".".join(words).encode("ascii") + fields

    def written(self, asked: bool = False) -> bytes:
        """
        As it stands in an answer.

        @param asked: or in a question.
        """
        name = self.family.encode("ascii")
        if self.family.startswith("RFC822"):
            return name
        name += b".PEEK" * (asked and self.peek)
        text = b"%s[%s]" % (name, self.section)
        if self.origin is None:
            return text
        return text + (
            b"<%d.%d>" % (self.origin, self.count or 1) if asked else b"<%d>" % self.origin
        )

    @classmethod
    def parse(cls, text: bytes) -> Item | None:
        """
        Read it; C{None} if it is something else.

        @raise Malformed: it is none that there can be.
        """
        capitals = text.upper()
        if capitals in _WHOLE:
            peek = capitals == b"RFC822.HEADER"
            return cls(capitals.decode("ascii"), text=_WHOLE[capitals], peek=peek)
        found = _ITEM.fullmatch(text)
        if found is None:
            return None
        kind = (found["kind"] or b"").decode("ascii").upper()
        family = found["name"].decode("ascii").upper() + (kind if kind == ".SIZE" else "")
        origin, count = (
            None if each is None else int(each) for each in found.group("origin", "count")
        )
        part, name, fields = _sectioned(found["section"])
        item = cls(family, part, name, fields, kind == ".PEEK", origin, count)
        if family == "BODY.SIZE" or (family.startswith("BINARY") and item.text):
            raise Malformed(f"{text[:60]!r} is no section")
        return item


def _sectioned(section: bytes) -> tuple[tuple[int, ...], str, tuple[bytes, ...]]:
    found = _SECTION.fullmatch(section)
    if found is None:
        raise Malformed(f"{section[:60]!r} is no section")
    part = tuple(int(number) for number in (found["part"] or b"").split(b".") if number)
    text = (found["text"] or found["alone"] or b"").decode("ascii").upper()
    if bool(found["dot"]) is not bool(part and text):
        raise Malformed(f"{section[:60]!r} is no section")
    if text == "MIME" and not part:
        raise Malformed("MIME is of a part")
    return part, text, _fields(found["fields"])


def _fields(said: bytes | None) -> tuple[bytes, ...]:
    if said is None:
        return ()
    names = [_FIELD.fullmatch(each) for each in said.split()]
    if not names or None in names:
        raise Malformed("a list of header fields that is none")
    return tuple((each[1] or each[2]).upper() for each in names if each is not None)

"""The header of a message, or of a part of it (RFC 5322, section 2.2), and the rules for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from attrs import define, field, frozen

from protocols.mime.objection import Objection, ambiguous
from protocols.mime.rules import HeaderRule

_FIELD = re.compile(rb"([!-9;-~]+):(.*)", re.DOTALL)

# Some programs take a line of blanks for the end of the header.
_BLANK = re.compile(rb"\n[ \t]+\r\n")

DECODED = 8192
"""Characters of a value that are decoded. For more, the standard library takes too long."""


@frozen
class Field:
    """
    One field.

    @ivar raw: as it came, with its line breaks, and the CRLF at its end.
    """

    name: str
    raw: bytes

    @classmethod
    def of(cls, name: str, value: str) -> Field:
        """A field of our own."""
        return cls(name, f"{name}: {value}\r\n".encode())

    @property
    def value(self) -> str:
        """Without line breaks, and decoded (RFC 2047)."""
        raw = self.raw.partition(b":")[2].replace(b"\r\n", b"").strip()
        return decoded(raw.decode("utf-8", "replace"))


def decoded(text: str) -> str:
    """A value with its encoded words as what they say; as it is if they say nothing."""
    if "=?" not in text or len(text) > DECODED:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


@define
class Header:
    """
    The fields in their order. A line that belongs to none is one without a name.

    @ivar sound: whether every line belonged to a field.
    """

    fields: list[Field] = field(factory=list)
    sound: bool = True

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Read whole lines, without the empty one."""
        header = cls()
        # A line that begins with a blank goes on with the field before.
        for raw in re.split(rb"(?<=\r\n)(?![ \t])", data):
            found = _FIELD.fullmatch(raw)
            if found is not None and not _BLANK.search(raw):
                header.fields.append(Field(found[1].decode("ascii"), raw))
            elif raw:
                header.fields.append(Field("", raw))
                header.sound = False
        return header

    def named(self, name: str) -> list[Field]:
        """The fields of this name."""
        return [each for each in self.fields if each.name.lower() == name.lower()]

    def first(self, name: str) -> str:
        """The value of the first field of this name; empty if there is none."""
        found = self.named(name)
        return found[0].value if found else ""

    def data(self) -> bytes:
        """As it is sent, without the empty line."""
        return b"".join(each.raw for each in self.fields)

    def apply(self, rules: Iterable[HeaderRule]) -> None:
        """
        Do what the rules say.

        @raise Objection: the message is refused.
        """
        for rule in rules:
            _ACTIONS[rule.action](self, rule)

    def _matching(self, rule: HeaderRule) -> list[Field]:
        named = self.named(rule.name)
        if any(b"=?" in each.raw and len(each.raw) > DECODED for each in named):
            raise ambiguous(f"{rule.name} is too long to be decoded")
        return [each for each in named if rule.match.fullmatch(each.value)]

    def _reject(self, rule: HeaderRule) -> None:
        for each in self._matching(rule):
            raise _refused(rule, f"the header {each.name}: {each.value[:200]!r}")

    def _require(self, rule: HeaderRule) -> None:
        if not self._matching(rule):
            raise _refused(rule, f"no header {rule.name} as required")

    def _remove(self, rule: HeaderRule) -> None:
        gone = self._matching(rule)
        self.fields = [each for each in self.fields if each not in gone]

    def _set(self, rule: HeaderRule) -> None:
        others = [each for each in self.fields if each.name.lower() != rule.name.lower()]
        self.fields = [*others, Field.of(rule.name, rule.value)]

    def _add(self, rule: HeaderRule) -> None:
        self.fields.append(Field.of(rule.name, rule.value))


_ACTIONS = {
    "reject": Header._reject,
    "require": Header._require,
    "remove": Header._remove,
    "set": Header._set,
    "add": Header._add,
}


def _refused(rule: HeaderRule, reason: str) -> Objection:
    return Objection(f"{reason} (setting 'headers')", rule=rule)

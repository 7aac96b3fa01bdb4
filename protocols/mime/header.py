"""The header of a message, or of a part of it (RFC 5322, section 2.2), and the rules for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import define, evolve, field, frozen

from protocols.mime import charset, words
from protocols.mime.objection import Objection, ambiguous
from protocols.mime.rules import ANYTHING, HeaderRule
from protocols.mime.settings import ContentSettings
from protocols.mime.words import Value

_FIELD = re.compile(rb"([!-9;-~]+)([ \t]*):(.*)", re.DOTALL)

# A parameter on a line of its own that should have been folded, behind one that promises more.
_UNFOLDED = re.compile(rb"(?<=;\r\n)(?![ \t]|\Z)")

# Some programs take a line of blanks for the end of the header.
_BLANK = re.compile(rb"(?<=\n)[ \t]+\r\n")

# What mail programs put on top of a message in a file, and forget to take off.
_MAILBOX = re.compile(rb">*From ")

WIDTH = 76
"""Characters of a line of a field that is written anew (RFC 2047, section 2)."""


@frozen
class Field:
    """
    One field.

    @ivar name: empty for a line that is none.
    @ivar raw: as it came, with its line breaks, and the CRLF at its end.
    @ivar said: what it says, if that is more than C{raw} does.
    """

    name: str
    raw: bytes
    said: Value | None = None

    @classmethod
    def of(cls, name: str, value: str) -> Field:
        """A field of our own."""
        return cls(name, f"{name}: {value}\r\n".encode())

    @classmethod
    def folded(cls, name: str, value: str) -> Field:
        """A field of our own, on as many lines as it takes; cut at blanks only."""
        lines, line = [], f"{name}:"
        for word in value.split(" "):
            if len(line) + len(word) >= WIDTH and line.strip() and not line.endswith(":"):
                lines.append(line)
                line = ""
            line = f"{line} {word}"
        return cls(name, "\r\n".join([*lines, f"{line}\r\n"]).encode("utf-8", "surrogateescape"))

    @property
    def text(self) -> bytes:
        """What stands behind the colon, on one line."""
        return self.raw.partition(b":")[2].replace(b"\r\n", b"").strip()

    @property
    def reading(self) -> Value:
        """What it says, decoded (RFC 2047), in every way that some program may read it."""
        if self.said is not None:
            return self.said
        first, *others = [words.read(text) for text in charset.raw(self.text)]
        if not others:
            return first
        readings = dict.fromkeys((*first.readings, *others[0].readings))
        return Value(first.likely, tuple(readings), first.problem)

    @property
    def value(self) -> str:
        """What it says to most programs."""
        return self.reading.likely

    @property
    def sound(self) -> bool:
        """Whether it has nothing that programs read differently, its value apart."""
        found = _FIELD.fullmatch(self.raw)
        if found is None or found[2]:
            return False
        return not (_BLANK.search(self.raw) or _UNFOLDED.search(self.raw))

    def mended(self) -> Field:
        """The same without what programs read differently, its value apart."""
        if self.sound:
            return self
        if not self.name and _MAILBOX.match(self.raw):  # as Postfix does
            return Field("X-Mailbox-Line", b"X-Mailbox-Line: " + self.raw)
        folded = _UNFOLDED.sub(b" ", _BLANK.sub(b"", self.raw))
        name, colon, rest = folded.partition(b":")
        return Field(self.name, name.rstrip(b" \t") + colon + (rest if rest.strip() else b"\r\n"))

    def written_anew(self) -> Field:
        """The same with encoded words that everybody reads alike."""
        said = self.reading
        text = words.mended(self.text.decode("utf-8", "surrogateescape"))
        return evolve(Field.folded(self.name, text), said=said)


@define
class Header:
    """
    The fields in their order.

    @ivar problem: why programs disagree about where it ends; empty if they don't.
    """

    fields: list[Field] = field(factory=list)
    problem: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Read whole lines, without the empty one."""
        # A line that begins with a blank goes on with the field before.
        lines = [each for each in re.split(rb"(?<=\r\n)(?![ \t])", data) if each]
        return cls(list(_fields(lines)))

    @property
    def doubt(self) -> str:
        """Why programs may read it differently; empty if there is no reason."""
        if self.problem:
            return self.problem
        wrong = next((each for each in self.fields if not each.sound), None)
        return "" if wrong is None else f"a line in a header is no field, {wrong.raw[:60]!r}"

    def mended(self) -> Header:
        """The same without what programs read differently."""
        return Header([each.mended() for each in self.fields])

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

    def apply(self, settings: ContentSettings) -> None:
        """
        Do what the rules for headers say.

        @raise Objection: the message is refused.
        """
        for rule in settings.headers:
            if rule.match is not ANYTHING and rule.action not in ("set", "add"):
                self._settle(rule.name, settings)
            _ACTIONS[rule.action](self, rule)

    def _settle(self, name: str, settings: ContentSettings) -> None:
        """See to it that fields of this name say what a rule takes them to say."""
        for at, each in enumerate(self.fields):
            if each.name.lower() != name.lower() or each.said is not None:
                continue
            problem = each.reading.problem
            if problem and settings.strict:
                raise ambiguous(f"{each.name} has {problem}")
            self.fields[at] = (
                each.written_anew()
                if problem and settings.mends
                else evolve(each, said=each.reading)
            )

    def _matching(self, rule: HeaderRule) -> list[Field]:
        return [each for each in self.named(rule.name) if _matches(rule, each)]

    def _reject(self, rule: HeaderRule) -> None:
        for each in self._matching(rule):
            raise _refused(rule, f"the header {each.name}: {each.value[:200]!r}")

    def _require(self, rule: HeaderRule) -> None:
        if not any(rule.match.fullmatch(each.value) for each in self.named(rule.name)):
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
    "discard": Header._reject,
    "require": Header._require,
    "remove": Header._remove,
    "set": Header._set,
    "add": Header._add,
}


def _fields(lines: Iterable[bytes]) -> Iterator[Field]:
    last: Field | None = None
    for raw in lines:
        found = _FIELD.fullmatch(raw)
        if last is not None and found is None and last.raw.endswith(b";\r\n"):
            last = evolve(last, raw=last.raw + raw)
            continue
        if last is not None:
            yield last
        last = Field(found[1].decode("ascii") if found else "", raw)
    if last is not None:
        yield last


def _matches(rule: HeaderRule, field: Field) -> bool:
    return any(rule.match.fullmatch(reading) for reading in field.reading.readings)


def _refused(rule: HeaderRule, reason: str) -> Objection:
    return Objection(reason, rule=rule)

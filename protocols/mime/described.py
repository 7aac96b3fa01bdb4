"""
Described: what the header of a part says about it (RFC 2045, 2183, 2231), and
the same written so that nobody reads it differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from attrs import define, field

from protocols.mime import names, parameters
from protocols.mime.encoding import DECODERS, PLAIN
from protocols.mime.header import Field, Header
from protocols.mime.names import Names
from protocols.mime.parameters import Parsed, parse

_LONGEST = 8192
"""Bytes of a field about content: what is longer is not written by a mail program."""

BOUNDARY = 200
"""Characters of a boundary. RFC 2046, section 5.1.1, has 70."""

_TYPE = re.compile(rf"{parameters.TOKEN}/{parameters.TOKEN}")
_TOKEN = re.compile(parameters.TOKEN)
_BOUNDARY = re.compile(r"[ !#-\[\]-~]*[!#-\[\]-~]")
_PRINTABLE = re.compile(r"[ -~]*")
_STRAY = re.compile(
    r"(?:\A|;|content-[a-z-]+:.*)[ \t]*(?:file)?name[0-9* \t]*=|[ \t](?:file)?name[0-9*]*=\"",
    re.IGNORECASE,
)
_ALL_OF_ENCODING = re.compile(rf"{parameters.TOKEN}")
_AROUND = "".join(each for each in map(chr, range(33, 127)) if not each.isalnum())
_NEITHER = re.compile(r"[^a-z0-9]")

_MESSAGES = frozenset({"message/rfc822", "message/global"})
_READ = frozenset({"text", "multipart", "message"})

_MEANT: Mapping[str, str] = {
    **dict.fromkeys(("7bit", "7bits", "usascii", "ascii"), "7bit"),
    **dict.fromkeys(("base64", "b64", "64bit"), "base64"),
    **dict.fromkeys(("quotedprintable", "qp"), "quoted-printable"),
    "binary": "binary",
}
"""Encodings that are written wrong, without what is no letter and no digit. Others are 8bit."""

_FALLBACK = "8bit"


@define
class Described:
    """
    A part, as it says itself.

    @ivar type: its media type, in small letters.
    @ivar types: all that some program may take for it.
    @ivar encoding: its transfer encoding, in small letters.
    @ivar boundary: of a multipart; empty if it is none.
    @ivar disposition: C{attachment}, C{inline}, …; empty if it says nothing.
    @ivar name: of the file, as most programs read it.
    @ivar names: all names that some program may read.
    @ivar problem: why programs may disagree about it; empty if there is no reason.
    @ivar hopeless: why that can't be mended.
    """

    type: str = "text/plain"
    types: tuple[str, ...] = ("text/plain",)
    encoding: str = ""
    boundary: bytes = b""
    disposition: str = ""
    name: str = ""
    names: tuple[str, ...] = ()
    problem: str = ""
    hopeless: str = ""
    _written: dict[str, Field | None] = field(factory=dict)

    @property
    def message(self) -> bool:
        """Whether there is another message in it, with a header and parts of its own."""
        return self.type in _MESSAGES and self.encoding in PLAIN

    @property
    def wrapped(self) -> bool:
        """Whether there is another message in it, behind an encoding (not RFC 2046, 5.2.1)."""
        return self.type in _MESSAGES and self.encoding not in PLAIN

    @property
    def container(self) -> bool:
        """Whether it is a file that mail programs open as a message, with all that is in it."""
        return self.name.lower().endswith((".eml", ".mht", ".mhtml", ".nws"))

    @property
    def attached(self) -> bool:
        """Whether it is more than text to be read."""
        kind = self.type.partition("/")[0]
        return bool(self.name) or self.disposition == "attachment" or kind not in _READ

    def mended(self, header: Header) -> Header:
        """The header with what is said here, so that nobody reads it differently."""
        left = dict(self._written)
        fields = []
        for each in header.mended().fields:
            name = each.name.lower()
            if name not in self._written:
                fields.append(each)
            elif (anew := left.pop(name, None)) is not None:
                fields.append(anew)
        return Header(fields)

    def blame(self, problem: str) -> None:
        """There is one more reason to disagree; the first one is told."""
        self.problem = self.problem or problem

    def write(self, name: str, value: str) -> None:
        """In place of all fields of this name, there is to be one with this value."""
        self._written[name.lower()] = Field.of(name, value)

    def drop(self, name: str) -> None:
        """There is to be no field of this name."""
        self._written[name.lower()] = None


def described(header: Header, default: str = "text/plain") -> Described:
    """
    Read what a header says.

    @param default: what a part is that does not say it: in a multipart/digest
        a message (RFC 2046, section 5.1.5).
    """
    said = Described(default, (default,), problem=header.doubt)
    fields = [each for each in header.fields if each.name[:8].lower() == "content-"]
    for each in fields:
        if len(each.raw) > _LONGEST:
            said.type = "application/octet-stream"
            said.hopeless = f"{each.name} of more than {_LONGEST} bytes"
            said.blame(said.hopeless)
            return said
    for name, describe in _FIELDS.items():
        found = [each for each in fields if each.name.lower() == name]
        if found:
            describe(said, found)
    for each in header.fields:
        if b"name" in each.raw.lower() and each.name.lower() not in _NAMING:
            _stray(said, _text(each))
        if each.name and not each.name[0].isalnum():
            _nearly(said, each)
    _settle(said)
    return said


def _type(said: Described, fields: list[Field]) -> None:
    """Content-Type (RFC 2045, section 5); of several, the first one that is one."""
    parsed = [(each, _parse(each, _TYPE)) for each in fields]
    said.types = tuple(dict.fromkeys(one.value or "text/plain" for _, one in parsed))
    chosen = next((one for _, one in parsed if one.value), parsed[0][1])
    said.type = chosen.value or "text/plain"  # RFC 2045, section 5.2
    found = _names(said, parsed)
    write = _several(said, "Content-Type", parsed) or bool(found.problem)
    if said.type.startswith("multipart/"):
        write = _boundary(said, chosen) or write
    elif chosen.named("boundary"):
        said.blame(f"a boundary of what is no multipart, {said.type}")
        write = True
    if said.type == "message/external-body":  # who follows it, gets what nobody has looked at
        said.blame("message/external-body, which is elsewhere")
        said.type = "text/plain"
        write = True
    if write:
        said.write("Content-Type", _written(said.type, chosen, found, "name"))


def _boundary(said: Described, chosen: Parsed) -> bool:
    """The boundary, and whether it has to be written anew."""
    all_ = chosen.named("boundary")
    plain = [each for each in all_ if each.number is None and not each.star]
    text = plain[0].text if plain else parameters.whole(all_)
    if not (0 < len(text) <= BOUNDARY and _BOUNDARY.fullmatch(text)):
        said.blame("a multipart without a boundary, or with one that can't be one")
        said.type = "text/plain"
        return True
    said.boundary = text.encode()
    if len(all_) > 1 or not plain or "=?" in text:
        said.blame(f"a boundary that may be read in two ways, {text[:100]!a}")
        return True
    return False


def _disposition(said: Described, fields: list[Field]) -> None:
    """Content-Disposition (RFC 2183)."""
    parsed = [(each, _parse(each, _TOKEN)) for each in fields]
    chosen = next((one for _, one in parsed if one.value), parsed[0][1])
    found = _names(said, parsed)
    said.disposition = chosen.value or "attachment" * bool(found.likely)
    if _several(said, "Content-Disposition", parsed) or found.problem:
        if not said.disposition:
            said.drop("Content-Disposition")
            return
        value = _written(said.disposition, chosen, found, "filename")
        said.write("Content-Disposition", value)


def _names(said: Described, parsed: list[tuple[Field, Parsed]]) -> Names:
    """Take the names in fields of one kind."""
    every = [names.read(_text(each), one) for each, one in parsed]
    said.names = tuple(dict.fromkeys((*said.names, *(name for one in every for name in one.all))))
    problem = next((one.problem for one in every if one.problem), "")
    said.blame(problem)
    likely = next((one.likely for one in every if one.likely), "")
    # Content-Disposition comes later, and is asked first (RFC 2183, section 2.3).
    said.name = likely or said.name
    return Names(likely, problem=problem)


def _several(said: Described, name: str, parsed: list[tuple[Field, Parsed]]) -> bool:
    """Whether there is more than one field, or one that is not of the grammar."""
    if len(parsed) > 1:
        said.blame(f"{name} twice in a part")
        return True
    each, one = parsed[0]
    if not one.sound:
        said.blame(f"{name} {_text(each)[:100]!a}")
    return not one.sound


def _encoding(said: Described, fields: list[Field]) -> None:
    """Content-Transfer-Encoding (RFC 2045, section 6)."""
    name = "Content-Transfer-Encoding"
    text = _text(fields[0]).lower()
    if len(fields) > 1:
        said.blame(f"{name} twice in a part")
    elif not _ALL_OF_ENCODING.fullmatch(text):
        said.blame(f"{name} {text[:100]!a}")
    elif text not in DECODERS:
        said.blame(f"an encoding that is not known, {text[:100]!a}")
    else:
        said.encoding = text
        return
    said.encoding = meant(text)
    said.write(name, said.encoding)


def meant(text: str) -> str:
    """What an encoding is likely to be that is written wrong."""
    if text and text in DECODERS:
        return text
    first = re.split(r"[;,(]", text)[0]
    for word in (_NEITHER.sub("", first), *_NEITHER.split(first.strip(" \t\"'"))[:1]):
        if word and (word in DECODERS or word in _MEANT):
            return _MEANT.get(word, word)
    return next((word for word in ("base64", "quoted-printable") if word in text), _FALLBACK)


def _elsewhere(said: Described, fields: list[Field]) -> None:
    """Content-Location (RFC 2557) and Content-Name, which some programs call files by."""
    for each in fields:
        last = re.split(r"[/\\]", re.split(r"[?#]", _text(each))[0].strip(' <>"'))[-1]
        if last:
            said.names = tuple(dict.fromkeys((*said.names, last)))


def _stray(said: Described, text: str) -> None:
    """A name where none belongs. Some programs take it from the header as a whole."""
    if _STRAY.search(text, 0, _LONGEST):
        found = names.read(text[:_LONGEST], parse(text[:_LONGEST], _TOKEN))
        said.names = tuple(dict.fromkeys((*said.names, *found.all)))


def _nearly(said: Described, each: Field) -> None:
    """A field that only programs know that look no closer."""
    if each.name.lower().lstrip(_AROUND) in _FIELDS:
        said.blame(f"a field {each.name[:60]!r}")
        said.drop(each.name)


_NAMING = frozenset({"content-type", "content-disposition"})

_FIELDS = {
    "content-type": _type,
    "content-disposition": _disposition,
    "content-transfer-encoding": _encoding,
    "content-location": _elsewhere,
    "content-name": _elsewhere,
}


def _settle(said: Described) -> None:
    """What does not fit together."""
    if said.type.startswith("multipart/") and said.encoding not in PLAIN:
        said.blame("parts that are encoded as a whole")
        said.encoding = ""  # which most programs don't undo
        said.drop("Content-Transfer-Encoding")
    elif said.wrapped:
        said.blame("a message that is encoded as a whole")
        said.write("Content-Transfer-Encoding", _FALLBACK)
    if said.type == "message/partial":
        said.hopeless = "message/partial, a fragment"
        said.blame(said.hopeless)


# Reading and writing


def _text(each: Field) -> str:
    return each.text.decode("utf-8", "replace")


def _parse(each: Field, value: re.Pattern[str]) -> Parsed:
    return parse(_text(each), value)


def _written(value: str, parsed: Parsed, found: Names, key: str) -> str:
    """A field's value without anything that is read differently."""
    return ";\r\n ".join([value, *_kept(value, parsed), *_named(key, found.likely)])


def _kept(value: str, parsed: Parsed) -> Iterator[str]:
    """Parameters but names; what can't be written plainly is left out."""
    for name in parsed.names():
        text = parameters.whole(parsed.named(name))
        if name in names.KEYS or not _TOKEN.fullmatch(name) or re.search(r'[\\"]', text):
            continue
        if name == "boundary" and not value.startswith("multipart/"):
            continue
        if len(text) <= BOUNDARY and _PRINTABLE.fullmatch(text):
            yield f'{name}="{text}"'


def _named(key: str, likely: str) -> Iterator[str]:
    """A name; beyond ASCII in pieces of RFC 2231, section 4.1."""
    name = names.safe(likely)
    if not name:
        return
    if _PRINTABLE.fullmatch(name):
        yield f'{key}="{name}"'
        return
    encoded = "".join(f"%{byte:02X}" for byte in name.encode("utf-8", "replace"))
    pieces = [encoded[at : at + 60] for at in range(0, len(encoded), 60)]
    for number, piece in enumerate(pieces):
        charset = "utf-8''" * (number == 0)
        yield f"{key}*{number}*={charset}{piece}" if len(pieces) > 1 else f"{key}*={charset}{piece}"

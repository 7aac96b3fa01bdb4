"""
Parameters of Content-Type and Content-Disposition (RFC 2045, section 5.1; RFC
2183; RFC 2231), read as they are meant also where they are written wrong.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from attrs import evolve, frozen

from protocols.mime import charset, words

TOKEN = r"[!#$%&'*+.^_`|{}~A-Za-z0-9-]+"
"""RFC 2045, section 5.1."""

# A value may be what many programs write without the quotes it needs: encoded words (RFC 2047)
# and UTF-8. But not what may be read in two ways: blanks, comments.
_VALUE = r"(?:[!#$%&'*+.^_`|{}~A-Za-z0-9=?/@:,\[\]\x80-\U0010ffff-]+|\"(?:[^\"\\]|\\.)*\")"
GRAMMAR = rf"[ \t]*(?:;[ \t]*(?:{TOKEN}[ \t]*=[ \t]*{_VALUE}[ \t]*)?)*"
"""What nobody misreads, behind the value before the first semicolon."""

_PIECE = re.compile(r"(?P<name>[^*]+)(?:\*(?P<number>0|[1-9][0-9]{0,3}))?(?P<star>\*)?")
_NAME = re.compile(r"[ \t]*(?P<name>[^\s=;\"()]+)[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"')
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_ASIDE = re.compile(rf"(?:\A|[ \t]){_COMMENT.pattern}")
_COMMENTS = re.compile(r"(?:\((?:[^()\\]|\\.)*\)[ \t]*)+")
_EXTENDED = re.compile(r"(?P<charset>[^']*)'[^']*'(?P<text>.*)", re.DOTALL)


@frozen
class Parameter:
    """
    One parameter, as it is written.

    @ivar name: in small letters, without what RFC 2231 puts behind it.
    @ivar number: of the piece; C{None} if it is whole.
    @ivar star: whether it says that it is encoded (RFC 2231, section 4).
    @ivar text: the value without quotes.
    @ivar quoted: whether it had some, or needs none.
    """

    name: str
    number: int | None
    star: bool
    text: str
    quoted: bool = True


@frozen
class Parsed:
    """
    A field's value.

    @ivar value: what stands before the parameters, in small letters.
    @ivar parameters: in their order.
    @ivar sound: whether it is of the grammar.
    """

    value: str
    parameters: tuple[Parameter, ...]
    sound: bool

    def named(self, name: str) -> tuple[Parameter, ...]:
        """All with this name, whole or in pieces."""
        return tuple(each for each in self.parameters if each.name == name)

    def names(self) -> tuple[str, ...]:
        """The names of all, each once."""
        return tuple(dict.fromkeys(each.name for each in self.parameters))


def parse(text: str, value: re.Pattern[str]) -> Parsed:
    """
    Read a field's value, unfolded.

    @param value: what may stand before the parameters.
    """
    head, semicolon, rest = text.partition(";")
    found = value.fullmatch(head.strip(" \t"))
    sound = found is not None and re.fullmatch(GRAMMAR, semicolon + rest) is not None
    if found is None:
        head = _COMMENT.sub("", head).strip(" \t\"',")
        found = value.match(head)
        if found is not None and head[found.end() :].lstrip(" \t").startswith("="):
            found = None  # the parameters begin at once
        rest = rest or head[found.end() if found else 0 :]
    parameters, plain = _parameters(rest)
    return Parsed(found[0].lower() if found else "", parameters, sound and plain)


def _parameters(text: str) -> tuple[tuple[Parameter, ...], bool]:
    """All that are one, and whether all are as RFC 2231 has it."""
    found: list[Parameter] = []
    plain, at = True, 0
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            at = _next(text, at)
            continue
        value, quoted, at = _value(text, name.end())
        piece = _PIECE.fullmatch(name["name"].lower())
        plain = plain and piece is not None
        if piece is None:
            first = name["name"].partition("*")[0].lower()
            found.append(Parameter(first, None, False, value, quoted))
            continue
        number = None if piece["number"] is None else int(piece["number"])
        star = piece["star"] is not None
        found.append(Parameter(piece["name"], number, star, value, quoted))
    return tuple(found), plain


def _value(text: str, at: int) -> tuple[str, bool, int]:
    """A value that begins here; whether it had quotes or needs none; where the next one begins."""
    comment = _COMMENTS.match(text, at)
    if comment is not None:
        at = comment.end()
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted["text"]), True, _next(text, quoted.end())
    end = _next(text, at)
    value = text[at:end].removesuffix(";")
    value = _ASIDE.sub("", value).strip(' \t"')
    return value, re.fullmatch(TOKEN, value) is not None, end


def _next(text: str, at: int) -> int:
    """Behind the next semicolon."""
    found = text.find(";", at)
    return found + 1 if found >= 0 else len(text)


def whole(parameters: tuple[Parameter, ...]) -> str:
    """
    What parameters of one name say together, as most programs read them: the
    encoded form counts (RFC 2231, section 4), pieces in their order (section 3),
    of two alike the first.
    """
    pieces = {each.number: each for each in reversed(parameters) if each.number is not None}
    single = {each.star: each for each in reversed(parameters) if each.number is None}
    if True in single:
        return joined((single[True],))
    if 0 in pieces:
        return joined(tuple(pieces[number] for number in range(_run(pieces))))
    if False in single:
        return words.read(single[False].text).likely
    return joined(tuple(pieces[number] for number in sorted(pieces)))


def _run(pieces: dict[int, Parameter]) -> int:
    """How many pieces there are from the first one without a gap."""
    count = 0
    while count in pieces:
        count += 1
    return count


def joined(pieces: tuple[Parameter, ...]) -> str:
    """What these pieces say, in this order."""
    return words.read(texts(pieces).likely).likely


def texts(pieces: tuple[Parameter, ...]) -> charset.Texts:
    """All that these pieces may say, in this order; the first one names the charset."""
    if not pieces or not any(each.star for each in pieces):
        return charset.Texts("".join(each.text for each in pieces))
    found = _EXTENDED.fullmatch(pieces[0].text) if pieces[0].star else None
    label, first = (found["charset"], found["text"]) if found else ("", pieces[0].text)
    data = b"".join(
        _bytes(text, each.star)
        for each, text in zip(pieces, (first, *(each.text for each in pieces[1:])), strict=True)
    )
    read = charset.read(data, label or "utf-8")
    if found or data.isascii():
        return read
    return evolve(read, problem="a name without the charset that it must have")


def _bytes(text: str, encoded: bool) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(data) if encoded else data

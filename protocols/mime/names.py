"""
Names: all that programs may take for the name of a part's file.

They disagree about quoted pairs and quotes within quotes, about pieces that
come twice or in the wrong order (RFC 2231), about encoded words where there
should be none (RFC 2047, section 5) and about charsets. So a rule is asked about
every reading; and where nobody can say that these are all, that is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize
from urllib.parse import unquote

from attrs import frozen

from protocols.mime import charset, parameters, words
from protocols.mime.parameters import Parameter, Parsed

KEYS = ("filename", "name")
"""Parameters that a file is called by, in either field: the likelier one first."""

MOST = 500
"""Readings of one field. What has more is not written by a mail program."""

# Nothing in it that may be read in two ways.
_PLAIN = re.compile(r"[A-Za-z0-9 ._+()&,@#$!~\[\]{}^`-]*")

# Where a program may see a name that does not care for quotes, comments and semicolons.
_ANYWHERE = re.compile(r"name[^=:;\s]*[\s\"']*[=:][ \t]*", re.IGNORECASE)
_WORD = re.compile(r"[\"' ]*=\?[^?]*\?[A-Za-z]\?[^?]*\?=")
_SPECIAL = re.compile(r"[;,\s()<>@:\\\"/\[\]?=]")

_AROUND = " %\t\r\n\"'`,;?<>|*()[]{}\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\:*?\"<>|]")


@frozen
class Names:
    """
    What a field says about the name of a file.

    @ivar likely: the name for most programs; empty if there is none.
    @ivar all: every name that some program may read, C{likely} among them.
    @ivar problem: why nobody can say that these are all; empty if there is no reason.
    """

    likely: str = ""
    all: tuple[str, ...] = ()
    problem: str = ""


def read(text: str, parsed: Parsed) -> Names:
    """The names in a field: its value as it is, unfolded, and parsed."""
    found = [each for each in parsed.parameters if each.name in KEYS]
    if not found and not _ANYWHERE.search(text):
        return Names()
    if parsed.sound and len(found) == 1 and _is_plain(found[0]):
        name = found[0].text.strip()
        return Names(name, (name,) if name else ())
    return _every(text, parsed)


def plain(text: str) -> tuple[str, ...]:
    """All readings of a name that stands for itself, such as one within a text."""
    found: dict[str, None] = {}
    _take(text, found)
    return tuple(found)[:MOST]


def _is_plain(parameter: Parameter) -> bool:
    whole = parameter.number is None and not parameter.star
    return whole and parameter.quoted and _PLAIN.fullmatch(parameter.text) is not None


def _every(text: str, parsed: Parsed) -> Names:
    likely, problems = "", [] if parsed.sound else ["a name that is not written as it should be"]
    names: dict[str, None] = {}
    for key in KEYS:
        alike = parsed.named(key)
        likely = likely or (parameters.whole(alike).strip() if alike else "")
        for read in _texts(alike):
            problems.append(read.problem)
            for each in (read.likely, *read.others):
                problems.append(_take(each, names))
        problems.append(_disagree(alike))
    for each in _anywhere(text, parsed.sound):
        _take(each, names)
    if likely:
        names.update(dict.fromkeys((likely, safe(likely))))
    if len(names) > MOST:
        problems.append("a name with too many readings")
    problem = next((each for each in problems if each), "")
    return Names(likely, tuple(names)[:MOST], problem)


def _take(text: str, names: dict[str, None]) -> str:
    """Add all readings of a text to the names, and say what is wrong with it."""
    value = words.read(text)
    for reading in value.readings:
        names.update(dict.fromkeys(filter(None, _variants(reading))))
    return value.problem


def _texts(alike: tuple[Parameter, ...]) -> Iterator[charset.Texts]:
    """What parameters of one name say, together and each for itself."""
    pieces = tuple(each for each in alike if each.number is not None)
    for each in alike:
        if each.number is None:
            yield parameters.texts((each,))
            yield charset.Texts(each.text)
    if not pieces:
        return
    for order in (pieces[::-1], pieces):  # of two alike, the first or the last one counts
        chosen = {each.number or 0: each for each in order}
        yield parameters.texts(tuple(chosen[number] for number in sorted(chosen)))
    yield parameters.texts(pieces)
    yield charset.Texts("".join(each.text for each in pieces))


def _disagree(alike: tuple[Parameter, ...]) -> str:
    """Why programs may choose differently among parameters of one name."""
    single = [each.star for each in alike if each.number is None]
    numbers = [each.number for each in alike if each.number is not None]
    if len(single) != len(set(single)) or len(numbers) != len(set(numbers)):
        return "a name that is there twice"
    if numbers != list(range(len(numbers))):
        return "a name in pieces that are not in order"
    return "a name in one piece and in several" if True in single and numbers else ""


def _anywhere(text: str, sound: bool) -> Iterator[str]:
    """What a program may see that looks for a name and cuts there, in several ways."""
    for found in _ANYWHERE.finditer(text):
        rest = text[found.end() :]
        quote = rest[:1] if rest[:1] in ("'", '"') else ""
        if quote:
            yield rest[1:].partition(quote)[0]
            yield rest[1:].rpartition(quote)[0]
        yield rest.partition(";")[0]
        if not (quote and sound):
            yield re.split(r"\s", rest, maxsplit=1)[0]
            yield _SPECIAL.split(rest.lstrip(" \t\"'"), maxsplit=1)[0]
            yield rest.partition("(")[0] + rest.rpartition(")")[2]
            word = _WORD.match(rest)
            if word is not None:
                yield word[0]


def _variants(name: str) -> Iterator[str]:
    """A name, and what a program makes of it that cleans names in one way or another."""
    yield name.strip()
    yield name.strip(_AROUND)
    for each in (
        name.replace("\\", ""),
        name.replace('"', "").replace("'", ""),
        _CONTROL.sub("", name),
        name.partition("\0")[0],
        name.partition('"')[0],
        re.split(r"[/\\]", name.rstrip("/\\ "))[-1],
        name.rpartition("''")[2],
        re.sub(r"\s", "", name),
    ):
        yield each.strip(_AROUND)
    if "%" in name:
        yield unquote(name).partition("\0")[0].strip(_AROUND)
    if not name.isascii():
        yield normalize("NFKC", name).strip(_AROUND)


def safe(name: str) -> str:
    """A name that no program reads differently, as it is written anew."""
    return _UNSAFE.sub("_", name).strip(" '")[-200:]

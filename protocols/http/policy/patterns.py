"""Patterns: paths, queries, header values, media types and ports, as the operator writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from gateway.inspector import pattern
from protocols.hosts import REGULAR
from protocols.http.grammar import TOKEN
from protocols.http.message import OURS

# RFC 9110, section 12.5.1: media-range.
_RANGE = re.compile(r"(\*/\*)|([!#$&^_.+\w-]+/(\*|[!#$&^_.+\w-]+))", re.ASCII)

KEPT = frozenset({*OURS, "host"})
"""Headers that say where a message goes and where it ends: nothing here changes them."""

MOST_DASHES = 6

_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


class Texts:
    """
    A set of texts: each exact, with "*" for anything, or a regular expression for the whole.

    What needs no pattern, which is the most, is not made one: C{"image/*"} is a beginning,
    C{"*.exe"} an end, and C{"*/cgi-bin/*"} a part.
    """

    __slots__ = ("_beginnings", "_ends", "_exact", "_parts", "_patterns")

    def __init__(self, texts: tuple[str, ...]) -> None:
        plain = [text for text in texts if not text.startswith(REGULAR)]
        regular = [text.removeprefix(REGULAR) for text in texts if text.startswith(REGULAR)]
        rest = [text for text in plain if "*" in text[1:-1]]
        self._exact = frozenset(text for text in plain if "*" not in text)
        self._beginnings = _stripped(plain, "", "*")
        self._ends = _stripped(plain, "*", "")
        self._parts = _stripped(plain, "*", "*")
        self._patterns = (*map(_compiled, rest), *map(pattern, regular))

    def __contains__(self, text: str) -> bool:
        return (
            text in self._exact
            or text.startswith(self._beginnings)
            or text.endswith(self._ends)
            or self._is_like(text)
        )

    def finder(self) -> Callable[[str], bool]:
        """The cheapest way to ask whether a text is in the set."""
        if self._patterns or self._exact or self._beginnings or len(self._parts) > 1:
            return self.__contains__
        ends = self._ends
        if not self._parts:
            return lambda text: text.endswith(ends)
        (part,) = self._parts
        return lambda text: text.endswith(ends) or part in text

    def _is_like(self, text: str) -> bool:
        for part in self._parts:
            if part in text:
                return True
        for each in self._patterns:  # noqa: SIM110  (a generator costs as much as a pattern)
            if each.fullmatch(text):
                return True
        return False


def _stripped(texts: Iterable[str], before: str, after: str) -> tuple[str, ...]:
    """What is between, of those with exactly this before and after it: "*" or nothing."""
    found = []
    for text in texts:
        between = text.strip("*")
        if "*" not in between and between != text == f"{before}{between}{after}":
            found.append(between)
    return tuple(found)


def _compiled(glob: str) -> re.Pattern[str]:
    """
    Each part is looked for where it comes first, and nowhere else then: if all that is left has
    to be found behind it, no other place is better. So a client can't make it take long.
    """
    first, *inner, last = map(re.escape, glob.split("*"))
    parts = "".join(f"(?>.*?{part})" for part in inner if part)
    return re.compile(f"{first}{parts}.*{last}", re.DOTALL)


def read_paths(texts: tuple[str, ...]) -> Texts:
    """
    Read patterns of paths.

    @raise ValueError: one can never match.
    """
    for text in texts:
        if not text.startswith(("/", "*", REGULAR)):
            raise ValueError(f'"{text}" is no pattern of a path: it begins with "/", "*" or "~"')
        if ";" in text and not text.startswith(REGULAR):
            raise ValueError(f'"{text}" is like no path: parameters (";") are not compared')
    return Texts(texts)


def read_values(texts: Mapping[str, str]) -> Mapping[str, Texts]:
    """
    Read patterns of header values, by the names of the headers.

    @raise ValueError: there is no such header, or the pattern is none.
    """
    return {read_name(name): Texts((text,)) for name, text in texts.items()}


def read_texts(texts: tuple[str, ...]) -> Texts:
    """Read patterns of any text."""
    return Texts(texts)


def read_name(name: str) -> str:
    """
    A header's name, in small letters.

    @raise ValueError: it is none.
    """
    if not TOKEN.fullmatch(name):
        raise ValueError(f'"{name}" is not the name of a header')
    return name.lower()


@cache
def spellings(name: str) -> tuple[str, ...]:
    """
    A header's name, and those that applications of the CGI kind take for the same (RFC 3875,
    section 4.1.18): with "_" in place of any "-". Of a name with very many, just all of them.
    (Remembered: names are the operator's.)
    """
    first, *rest = name.split("-")
    if len(rest) > MOST_DASHES:
        return name, name.replace("-", "_")
    found = [first]
    for word in rest:
        found = [f"{each}{dash}{word}" for dash in "-_" for each in found]
    return tuple(found)


def read_free_name(name: str) -> str:
    """
    The name of a header that may be changed, in small letters.

    @raise ValueError: it may not.
    """
    if read_name(name) in KEPT:
        raise ValueError(f'"{name}" says where the message goes or ends: it can\'t be changed')
    return name.lower()


def read_types(ranges: tuple[str, ...]) -> Texts:
    """
    Read media types, C{"image/*"} among them.

    @raise ValueError: one is none.
    """
    for each in ranges:
        if not _RANGE.fullmatch(each):
            raise ValueError(f'"{each}" is no media type, such as "text/html" or "image/*"')
    return Texts(tuple(each.lower() for each in ranges))


class Numbers:
    """A set of numbers: ports or statuses."""

    __slots__ = ("_ranges",)

    def __init__(self, ranges: tuple[range, ...]) -> None:
        self._ranges = ranges

    def __contains__(self, number: int) -> bool:
        return any(number in each for each in self._ranges)


def read_ports(ports: tuple[int | str, ...]) -> Numbers:
    """
    Read ports: C{[80, "8000-8099"]}.

    @raise ValueError: one is none.
    """
    return _numbers(ports, _port_range)


def read_statuses(statuses: tuple[int | str, ...]) -> Numbers:
    """
    Read statuses: C{[404, "5xx"]}.

    @raise ValueError: one is none.
    """
    return _numbers(statuses, _status_range)


def _numbers(values: tuple[int | str, ...], read: Callable[[str], range]) -> Numbers:
    return Numbers(tuple(read(str(value)) for value in values))


def _port_range(text: str) -> range:
    found = _PORTS.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= 65535:
        raise ValueError(f'"{text}" is neither a port nor a range of ports')
    return range(first, last + 1)


def _status_range(text: str) -> range:
    if re.fullmatch("[1-9]xx", text):
        return range(int(text[0]) * 100, int(text[0]) * 100 + 100)
    if re.fullmatch("[1-9][0-9][0-9]", text, re.ASCII):
        return range(int(text), int(text) + 1)
    raise ValueError(f'"{text}" is no status, such as 404 or "5xx"')

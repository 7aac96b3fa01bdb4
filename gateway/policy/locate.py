"""
Where each key of a TOML document is written.

C{tomllib} tells what a document says, but not where. This is a scanner for
documents that C{tomllib} accepted: so it need not recognize errors, only
where keys and values begin and end. (TOML 1.0.0, U{https://toml.io/en/v1.0.0}.)
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from attrs import field, frozen

Path = tuple[str | int, ...]
"""How to get at a value: names of keys, and indexes of arrays (of tables, too), from 0."""

BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
SCALAR = re.compile(r"[^,\]}\n#]+")
"""Numbers, booleans and dates (which may hold a space)."""


@frozen
class Positions:
    """Offsets of all keys, and of all elements of arrays, in a text."""

    offsets: Mapping[Path, int]
    lines: list[int] = field(repr=False)
    """The offset of the start of each line."""

    def position(self, path: Path) -> tuple[int, int]:
        """
        Line and column, from 1.

        For a path that is not there: of the innermost table or array around it that is.
        """
        while path and path not in self.offsets:
            path = path[:-1]
        offset = self.offsets.get(path, 0)
        line = bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1

    def below(self, path: Path) -> Iterator[tuple[Path, int]]:
        """What is written in a table: each path, from there, and its line."""
        for found in self.offsets:
            if len(found) > len(path) and found[: len(path)] == path:
                yield found[len(path) :], self.position(found)[0]


def locate(text: str) -> Positions:
    """
    Scan a document.

    @param text: what C{tomllib} accepted, with its line ends as LF.
    """
    scanner = _Scanner(text)
    scanner.document()
    lines = [0, *(found.end() for found in re.finditer("\n", text))]
    return Positions(scanner.offsets, lines)


class _Scanner:
    """Walks over a document once, from its start to its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.offsets: dict[Path, int] = {}
        self.tables: dict[Path, int] = {}
        """The index of the last table of each array of tables."""

    def document(self) -> None:
        """Note where each key stands, of the whole document."""
        table: Path = ()
        self._skip()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> Path:
        """C{[a.b]} or C{[[a.b]]}: the path of the table that it begins."""
        start = self.at
        opening = 2 if self.text.startswith("[[", start) else 1
        self.at += opening
        keys = [key for key, _ in self._keys()]
        self.at += opening
        path: Path = ()
        for key in keys[:-1]:
            path = self._inside((*path, key), start)
        path = (*path, keys[-1])
        if opening == 1:
            self.offsets[path] = start
            return path
        return self._next_table(path, start)

    def _inside(self, path: Path, start: int) -> Path:
        """The table that a key in a header leads to: of an array of tables, the last."""
        self.offsets.setdefault(path, start)
        return (*path, self.tables[path]) if path in self.tables else path

    def _next_table(self, path: Path, start: int) -> Path:
        self.offsets.setdefault(path, start)
        self.tables[path] = self.tables.get(path, -1) + 1
        path = (*path, self.tables[path])
        self.offsets[path] = start
        return path

    def _pair(self, table: Path) -> None:
        """C{a.b = value}"""
        path = table
        for key, start in self._keys():
            path = (*path, key)
            self.offsets.setdefault(path, start)
        self.at += 1
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        """A dotted key up to its end, as keys and where each begins."""
        keys = [self._key()]
        while self.text[self.at] == ".":
            self.at += 1
            keys.append(self._key())
        return keys

    def _key(self) -> tuple[str, int]:
        self._skip()
        start = self.at
        if self.text[start] in "\"'":
            quoted = self._match(STRING)
            key = tomllib.loads(f"key = {quoted}")["key"]
        else:
            key = self._match(BARE_KEY)
        self._skip()
        return key, start

    def _value(self, path: Path) -> None:
        self._skip()
        first = self.text[self.at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._match(STRING if first in "\"'" else SCALAR)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while not self._closed("]"):
            element = (*path, index)
            self.offsets[element] = self.at
            self._value(element)
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while not self._closed("}"):
            self._pair(path)

    def _closed(self, bracket: str) -> bool:
        """Go over a comma, and over the bracket if it is next."""
        self._skip()
        if self.text[self.at] == ",":
            self.at += 1
            self._skip()
        if self.text[self.at] != bracket:
            return False
        self.at += 1
        return True

    def _skip(self) -> None:
        """Go over blanks, line ends and comments."""
        self._match(BLANK)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None, f"not TOML at offset {self.at}"
        self.at = found.end()
        return found[0]

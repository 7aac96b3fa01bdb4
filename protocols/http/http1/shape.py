"""
Shapes: what is known of a head by the names of its headers alone.

Programs send the same names in the same order again and again, and most questions about a head
(is it framed in an unusual way, which header is the host, which do not pass) depend on nothing
else. They are answered once for each sequence of names; values are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple

from protocols.http.grammar import TOKEN
from protocols.http.singular import SINGULAR

MOST = 1024
"""Sequences of names that are kept at a time: no more than some 8 MiB, whoever sends what."""

LONGEST = 1024
"""Characters that the names of a sequence that is kept have in all."""

NOWHERE = -1

PRINTABLE = bytes(range(0x20, 0x7F))

_COLONS = repeat(": ")

# Said once or not at all, or two readers could take two different ones.
_ONCE = (*SINGULAR, "connection", "content-length", "host", "transfer-encoding")


class Shape:
    """
    One sequence of names.

    @ivar kept: which of the lines pass, by their numbers; C{None}: all.
    @ivar host: the number of that header's line, L{NOWHERE} if there is none; as are C{agent},
        C{referer}, C{connection}, C{length}, C{type} and C{coding} (Transfer-Encoding).
    """

    __slots__ = ("agent", "coding", "connection", "host", "kept", "length", "referer", "type")

    def __init__(self, keys: Sequence[str], dropped: frozenset[int]) -> None:
        """@param keys: the names in small letters."""

        def at(key: str) -> int:
            return keys.index(key) if key in keys else NOWHERE

        self.host, self.connection = at("host"), at("connection")
        self.agent, self.referer = at("user-agent"), at("referer")
        self.length, self.type = at("content-length"), at("content-type")
        self.coding = at("transfer-encoding")
        self.kept = tuple(n for n in range(len(keys)) if n not in dropped) if dropped else None

    def onward(self, data: bytes, head: Head) -> bytes | None:
        """
        A message that begins with C{head} as it is sent on; C{None} if its Connection says
        something else than that it goes on.
        """
        lines, at = head.lines, self.connection
        if at >= 0 and head.values[at] != "keep-alive":
            if head.values[at] != "Keep-Alive":
                return None
            lines[at + 1] = lines[at + 1][: -len("keep-alive")] + "keep-alive"
        elif self.kept is None:
            return data
        if self.kept is not None:
            lines = [lines[0], *[lines[number + 1] for number in self.kept], "", ""]
        return "\r\n".join(lines).encode("ascii") + data[head.size :]


_UNKNOWN = Shape((), frozenset())
"""In the place of one that was not looked at yet."""


class Head(NamedTuple):
    """
    A head that is known by its shape.

    @ivar lines: the first one, those of the headers, and two empty ones.
    @ivar size: in bytes.
    """

    shape: Shape
    lines: list[str]
    values: tuple[str, ...]
    size: int


class Shapes:
    """
    The shapes of one service's requests, or of its responses.

    @param odd: names (in small letters) with which a head is not plain.
    @param needed: those without which it is not.
    @param most: how many headers it may have.
    @param passes: whether the policy lets a header of this name pass.
    """

    def __init__(
        self,
        odd: frozenset[str],
        needed: frozenset[str],
        most: int,
        passes: Callable[[str], bool],
    ) -> None:
        self._odd = odd
        self._needed = needed
        self._most = most
        self._passes = passes
        self._known: dict[tuple[str, ...], Shape | None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def read(self, head: bytes) -> Head | None:
        """
        The head that C{head} is, the empty line included; C{None}: it is not plain.

        Plain are lines of printable ASCII, one space behind the colon, none at the end.
        """
        text = head.decode("latin-1")
        lines = text.split("\r\n")
        if len(lines) < 4 or len(head.translate(None, PRINTABLE)) != 2 * len(lines) - 2:
            return None
        if ":  " in text or " \r\n" in text:
            return None
        split = map(str.partition, lines[1:-2], _COLONS)
        names, marks, values = zip(*split, strict=True)
        shape = self._known.get(names, _UNKNOWN)
        if shape is _UNKNOWN:
            shape = self._new(names)
        if shape is None or "" in marks:
            return None
        return Head(shape, lines, values, len(head))

    def _new(self, names: tuple[str, ...]) -> Shape | None:
        if sum(map(len, names)) > LONGEST:
            return None
        if len(self._known) >= MOST:
            self._known.clear()
        shape = self._known[names] = self._shape(names)
        return shape

    def _shape(self, names: tuple[str, ...]) -> Shape | None:
        keys = [name.lower() for name in names]
        if len(names) > self._most or not all(map(TOKEN.fullmatch, names)):
            return None
        if not (self._needed <= set(keys) and self._odd.isdisjoint(keys)):
            return None
        if any(keys.count(key) > 1 for key in _ONCE):
            return None
        passes = self._passes
        return Shape(keys, frozenset(n for n, name in enumerate(names) if not passes(name)))

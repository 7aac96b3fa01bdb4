"""
Values of any origin, made fit for one JSON line.

An inspector logs what a peer sent. So nothing here trusts a value: whatever it
is, it becomes valid JSON of bounded size and depth, in which no control
character is left unescaped, and nothing raises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from json.encoder import encode_basestring_ascii
from typing import Any

from attrs import define

from gateway.interfaces import Address

MOST_CHARACTERS = 8192
"""Of one value. Precedent: 8 KiB is what common web servers allow for a request line."""

MOST_IN_ALL = 32768
"""Characters of all the values of one record."""

MOST_ITEMS = 256
"""In one list or object."""

MOST_DEPTH = 8
"""Of lists and objects in each other."""

LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**64 - 1
"""Beyond these, readers of JSON disagree about a number."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""What may be a key: a word that a programmer wrote, not one that a peer sent."""

MOST_PLAIN, LONGEST_PLAIN = 32, 512
"""Fields, and characters of each, of a record that is written without further ado."""

DEEPEST_PLAIN = 2
"""How deep there may be objects in such a record."""

MOST_KEYS = 1024
"""Keys that are remembered to be words."""

_keys: set[str] = set()

_encoder = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, allow_nan=False, separators=(",", ":")
)


def quoted(text: object) -> str:
    """C{text} as a JSON string: bounded, of printable ASCII alone, quotes included."""
    plain = _plain(_clipped(text)) if type(text) is str else str(shaped(text))
    return encode_basestring_ascii(plain)


def shaped(value: object) -> object:
    """C{value} as something that the JSON encoder takes."""
    return _Shaper(MOST_IN_ALL).value(value, MOST_DEPTH)


def encoded(fields: Mapping[str, object]) -> str:
    """C{fields} as a JSON object, on one line, of printable ASCII alone."""
    if len(fields) <= MOST_PLAIN:
        plain = _plainly(fields, DEEPEST_PLAIN)
        if plain is not None:
            return plain
    return _encoder.encode(_Shaper(MOST_IN_ALL).mapping(fields, MOST_DEPTH))


def _plainly(fields: Mapping[Any, Any], depth: int) -> str | None:
    """
    The same for a few short texts, numbers, and what holds such: most records are of nothing else.
    """
    parts = []
    for key, value in fields.items():
        kind = type(value)
        if kind is str and len(value) <= LONGEST_PLAIN and value.isascii():
            text: str | None = encode_basestring_ascii(value)
        elif kind is int and LEAST_INTEGER <= value <= MOST_INTEGER:
            text = str(value)
        elif kind in _PLAIN:
            text = _PLAIN[kind](value, depth)
        else:
            return None
        if text is None:
            return None
        if type(key) is not str or (key not in _keys and not _is_word(key)):
            return None
        parts.append(f'"{key}":{text}')
    return f"{{{','.join(parts)}}}"


def _plain_items(values: list[Any], depth: int) -> str | None:
    parts = [
        encode_basestring_ascii(value)
        for value in values
        if type(value) is str and len(value) <= LONGEST_PLAIN and value.isascii()
    ]
    return f"[{','.join(parts)}]" if len(parts) == len(values) <= MOST_PLAIN else None


def _plain_fields(fields: Mapping[Any, Any], depth: int) -> str | None:
    return _plainly(fields, depth - 1) if depth and len(fields) <= MOST_PLAIN else None


_PLAIN: dict[type, Callable[[Any, int], str | None]] = {
    bool: lambda value, depth: "true" if value else "false",
    list: _plain_items,
    dict: _plain_fields,
}


def _is_word(key: str) -> bool:
    """Whether this can be a key."""
    if not NAME.fullmatch(key):
        return False
    if len(_keys) < MOST_KEYS:
        _keys.add(key)
    return True


def decoded(data: bytes) -> str:
    """What a peer sent, as text: UTF-8, and C{\\xNN} for what is none."""
    return data.decode("utf-8", "backslashreplace")


def _plain(text: str) -> str:
    """Lone surrogates are valid in JSON by its letter, and refused by half of its readers."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _clipped(text: str, most: int = MOST_CHARACTERS) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]} [{len(text) - most} more characters]"


def _described(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


@define
class _Shaper:
    """Turns values into what the JSON encoder takes, and counts what is left of the record."""

    left: int

    def mapping(self, fields: Mapping[Any, object], depth: int) -> dict[str, object]:
        """A key that nobody can have written in a program is not a key but a value."""
        shaped: dict[str, object] = {}
        others: list[object] = []
        for key, value in _first_items(fields):
            if type(key) is str and NAME.fullmatch(key):
                shaped[key] = self.value(value, depth - 1)
            else:
                others.append({"name": self.value(key, 0), "value": self.value(value, depth - 2)})
        if others:
            shaped["others"] = others
        if len(fields) > MOST_ITEMS:
            shaped["left_out"] = len(fields) - MOST_ITEMS
        return shaped

    def value(self, value: object, depth: int) -> object:
        self.left -= 8
        shape = _SHAPES.get(type(value))
        if shape is not None:
            return shape(self, value, depth)
        return self._by_kind(value, depth)

    def text(self, text: str) -> str:
        # One character more is looked at than is kept, so that what was cut is marked.
        plain = _plain(_clipped(text, max(0, min(MOST_CHARACTERS, self.left))))
        self.left -= len(plain)
        return plain

    def octets(self, data: bytes) -> str:
        # Cut first, so that a large body costs no more than a small one.
        text = self.text(decoded(data[:MOST_CHARACTERS]))
        more = len(data) - MOST_CHARACTERS
        return f"{text} [{more} more bytes]" if more > 0 else text

    def items(self, values: Collection[object], depth: int) -> object:
        if depth <= 0 or self.left <= 0:
            return f"[{len(values)} items]"
        shaped = [self.value(value, depth - 1) for value in _first(values)]
        if len(values) > MOST_ITEMS:
            shaped.append(f"[{len(values) - MOST_ITEMS} more items]")
        return shaped

    def nested(self, fields: Mapping[Any, object], depth: int) -> object:
        if depth <= 0 or self.left <= 0:
            return f"{{{len(fields)} items}}"
        return self.mapping(fields, depth)

    def integer(self, number: int) -> object:
        if LEAST_INTEGER <= number <= MOST_INTEGER:
            return number
        return f"an integer of {number.bit_length()} bits"

    def _by_kind(self, value: object, depth: int) -> object:
        try:
            for kind, shape in _KINDS:
                if isinstance(value, kind):
                    return shape(self, value, depth)
        except Exception:
            pass  # a subclass that misbehaves: it is shown, as anything unknown is
        return self.text(_described(value))


def _first(values: Collection[object]) -> list[object]:
    return [value for value, _ in zip(values, range(MOST_ITEMS), strict=False)]


def _first_items(fields: Mapping[Any, object]) -> list[tuple[Any, object]]:
    return [item for item, _ in zip(fields.items(), range(MOST_ITEMS), strict=False)]


_Shape = Callable[[_Shaper, Any, int], object]

_SHAPES: dict[type, _Shape] = {
    type(None): lambda shaper, value, depth: None,
    bool: lambda shaper, value, depth: value,
    int: lambda shaper, value, depth: shaper.integer(value),
    float: lambda shaper, value, depth: value if math.isfinite(value) else repr(value),
    str: lambda shaper, value, depth: shaper.text(value),
    bytes: lambda shaper, value, depth: shaper.octets(value),
    bytearray: lambda shaper, value, depth: shaper.octets(bytes(value)),
    memoryview: lambda shaper, value, depth: shaper.octets(value.tobytes()),
    Address: lambda shaper, value, depth: shaper.text(str(value)),
    tuple: lambda shaper, value, depth: shaper.items(value, depth),
    list: lambda shaper, value, depth: shaper.items(value, depth),
    set: lambda shaper, value, depth: shaper.items(value, depth),
    frozenset: lambda shaper, value, depth: shaper.items(value, depth),
    dict: lambda shaper, value, depth: shaper.nested(value, depth),
}

_KINDS: tuple[tuple[type, _Shape], ...] = (
    (Enum, lambda shaper, value, depth: shaper.value(value.value, depth)),
    (str, lambda shaper, value, depth: shaper.text(str.__str__(value))),
    (bytes, lambda shaper, value, depth: shaper.octets(bytes.__getitem__(value, slice(None)))),
    (int, lambda shaper, value, depth: shaper.integer(int.__int__(value))),
    (tuple, lambda shaper, value, depth: shaper.items(value, depth)),
    (Mapping, lambda shaper, value, depth: shaper.nested(value, depth)),
)

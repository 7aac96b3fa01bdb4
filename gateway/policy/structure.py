"""
From a TOML table to a settings class, by the class's annotations.

Strict: what is not declared is an error, and nothing is converted on the quiet
(C{true} is no integer, C{"80"} no number). All that is wrong is said at once,
each to the L{Entry} that it is about. A field that is wrong is given its
default, so that what depends on the table can be looked at as well; whoever
collects the problems makes sure that it is not used.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from attrs import NOTHING, Attribute, fields, has

from gateway.policy.addresses import Addresses
from gateway.policy.document import Entry
from gateway.policy.files import Reader, Unreadable
from gateway.policy.problem import did_you_mean
from gateway.policy.settings import keys_of

T = TypeVar("T")

PLAIN: Mapping[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
}

TOML_NAMES: Mapping[type, str] = {**PLAIN, list: "an array", dict: "a table"}

ZONES = tuple[str, ...]
"""How zones and networks are written."""

ARRAYS: Mapping[type, Callable[[Any], Any]] = {tuple: tuple, frozenset: frozenset}


class _Wrong(Exception):
    """The value can't be used, and this has been said."""


def structure(kind: type[T], entry: Entry, besides: Collection[str] = ()) -> T | None:
    """
    Make a settings object of a table.

    @param kind: an attrs class.
    @param besides: keys that the table may have, and that somebody else reads.
    @return: C{None} if it can't be made at all.
    """
    try:
        made: T = _table(kind, entry, besides)
    except _Wrong:
        return None
    return made


def _table(kind: type, entry: Entry, besides: Collection[str] = ()) -> Any:
    if not isinstance(entry.value, dict):
        raise _mismatch(entry, "a table")
    attributes = keys_of(kind)
    _refuse_unknown(entry, [*attributes, *besides])
    values: dict[str, Any] = {}
    for key, attribute in attributes.items():
        try:
            values[str(attribute.alias)] = _field(kind, attribute, entry, key)
        except _Wrong:
            if attribute.default is NOTHING:
                values[str(attribute.alias)] = NOTHING
    given = {alias: value for alias, value in values.items() if value is not _LEFT_OUT}
    if NOTHING in given.values():
        raise _Wrong
    return _made(kind, given, entry)


_LEFT_OUT = object()


def _made(kind: type, values: dict[str, Any], entry: Entry) -> Any:
    """Call the class, whose validators may refuse the values."""
    for attribute in fields(kind):
        if attribute.metadata.get("written_at"):
            values[str(attribute.alias)] = str(entry.place)
    try:
        return kind(**values)
    except ValueError as error:
        entry.complain(str(error.args[0]) if error.args else "wrong")
        raise _Wrong from None


def _refuse_unknown(entry: Entry, known: list[str]) -> None:
    for key, value in entry.value.items():
        if key not in known:
            what = "table" if _is_table(value) else "key"
            entry.at(key).complain(f"unknown {what}{did_you_mean(key, known)}")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)
    )


def _field(kind: type, attribute: Attribute[Any], table: Entry, key: str) -> Any:
    """The value of one field, or that it was left out."""
    entry = table.at(key)
    if key not in table.value:
        if attribute.default is NOTHING:
            entry.complain("is missing")
            raise _Wrong
        return _LEFT_OUT
    read, file = (attribute.metadata.get(name) for name in ("read", "file"))
    annotation = type_hints(kind)[attribute.name]
    if attribute.metadata.get("names_zones"):
        return _addresses(entry)
    if file is not None:
        return _of_files(annotation, file, entry)
    value = _value(annotation if read is None else accepted(read, annotation), entry)
    _check_bounds(value, attribute, entry)
    return value if read is None else _read(read, value, entry)


def _read(read: Callable[[Any], Any], value: Any, entry: Entry) -> Any:
    try:
        return read(value)
    except (ValueError, re.error) as error:
        entry.complain(str(error))
        raise _Wrong from None


def _addresses(entry: Entry) -> Addresses:
    """What zones and networks add up to."""
    names: tuple[str, ...] = _value(ZONES, entry)
    if entry.networks is None:
        raise TypeError(f"{entry.key}: this table was read without its zones")
    if not names:
        entry.complain("is empty, which matches nothing: leave it out for all")
    return Addresses(entry.networks(entry, names))


def _of_files(annotation: Any, reader: Reader, entry: Entry) -> Any:
    """What is made of the file that is named, or of each of several."""
    origin = get_origin(annotation)
    if origin not in ARRAYS:
        return _of_file(reader, entry)
    if not isinstance(entry.value, list):
        raise _mismatch(entry, "an array, each the name of a file")
    entries = {index: entry.at(index) for index in range(len(entry.value))}
    made = _all(lambda each: _of_several(reader, each), entries).values()
    return ARRAYS[origin](one for several in made for one in several)


def _of_several(reader: Reader, entry: Entry) -> list[Any]:
    """Of one file, or of all in a folder."""
    name = entry.value
    if not isinstance(name, str) or not name.endswith("/") or entry.files is None:
        return [_of_file(reader, entry)]
    try:
        names = entry.files.within(name)
    except Unreadable as error:
        entry.complain(error.message)
        raise _Wrong from None
    made = _all(lambda name: _read_file(reader, name, entry), dict(zip(names, names, strict=True)))
    return list(made.values())


def _of_file(reader: Reader, entry: Entry) -> Any:
    if not isinstance(entry.value, str) or not entry.value:
        raise _mismatch(entry, "the name of a file")
    if entry.files is None:
        raise TypeError(f"{entry.key}: this table was read without its folder")
    return _read_file(reader, entry.value, entry)


def _read_file(reader: Reader, name: str, entry: Entry) -> Any:
    assert entry.files is not None
    try:
        return entry.files.read(name, entry.key, reader)
    except Unreadable as error:
        if error.message:
            entry.complain(error.message)
        raise _Wrong from None


def accepted(read: Callable[[Any], Any], annotation: Any) -> Any:
    """The type that a reader takes: what it says, else the field's if we know it, else anything."""
    try:
        hints = get_type_hints(read)
    except TypeError:
        hints = {}
    hints.pop("return", None)
    return next(iter(hints.values()), annotation if _is_known(annotation) else Any)


def _is_known(kind: Any) -> bool:
    """Whether values of this type can be made without a reader."""
    origin = get_origin(kind)
    if origin is None:
        return kind in PLAIN or (isinstance(kind, type) and (issubclass(kind, Enum) or has(kind)))
    return origin in (*ARRAYS, dict, Mapping, Literal, Union, UnionType)


def _check_bounds(value: Any, attribute: Attribute[Any], entry: Entry) -> None:
    """Whether each number in C{value} is within the option's bounds."""
    minimum, maximum = (attribute.metadata.get(name) for name in ("minimum", "maximum"))
    for each in value if isinstance(value, tuple | frozenset) else (value,):
        if minimum is not None and each < minimum:
            entry.complain(f"must be at least {minimum}, not {each}")
            raise _Wrong
        if maximum is not None and each > maximum:
            entry.complain(f"must be at most {maximum}, not {each}")
            raise _Wrong


@lru_cache(maxsize=256)
def type_hints(kind: type) -> dict[str, Any]:
    """The annotations of a settings class, evaluated once."""
    return get_type_hints(kind)


def class_within(attribute: Attribute[Any], hint: Any) -> type | None:
    """
    The settings class of a table, one that may be left out (C{T | None}), or an array of
    them. C{None} if the key is something else, though something with fields may be made of it.
    """
    if any(attribute.metadata.get(name) for name in ("read", "file", "names_zones")):
        return None
    single = get_origin(hint) in (tuple, Union, UnionType)
    kinds = [kind for kind in get_args(hint) if has(kind)] if single else [hint]
    return kinds[0] if len(kinds) == 1 and has(kinds[0]) else None


def _value(kind: Any, entry: Entry) -> Any:
    """The value of one entry as something of type C{kind}."""
    origin = get_origin(kind)
    if kind is Any:
        return entry.value
    if kind in PLAIN:
        return _plain(kind, entry)
    if origin is Literal:
        return _choice(get_args(kind), {each: each for each in get_args(kind)}, entry)
    if origin in ARRAYS:
        return _array(origin, get_args(kind)[0], entry)
    if origin in (dict, Mapping):
        return _mapping(get_args(kind)[1], entry)
    if origin in (Union, UnionType):
        return _one_of(get_args(kind), entry)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice([each.value for each in kind], {each.value: each for each in kind}, entry)
    if isinstance(kind, type) and has(kind):
        return _table(kind, entry)
    raise TypeError(f"no TOML value is a {kind!r}: give the option a read function")


def _plain(kind: type, entry: Entry) -> Any:
    if not _fits(kind, entry.value):
        raise _mismatch(entry, PLAIN[kind])
    if kind is float:
        return _number(entry)
    return entry.value


def _number(entry: Entry) -> float:
    try:
        value = float(entry.value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        entry.complain("must be a finite number")
        raise _Wrong
    return value


def _choice(words: Collection[Any], values: Mapping[Any, Any], entry: Entry) -> Any:
    """One of a few words."""
    if type(entry.value) not in {type(word) for word in words} or entry.value not in values:
        listed = ", ".join(map(shown, words))
        guess = did_you_mean(entry.value, words) if isinstance(entry.value, str) else ""
        entry.complain(f"must be one of {listed}, not {shown(entry.value)}{guess}")
        raise _Wrong
    return values[entry.value]


def _array(origin: type, kind: Any, entry: Entry) -> Any:
    if not isinstance(entry.value, list):
        raise _mismatch(entry, "an array")
    return ARRAYS[origin](_each(kind, {i: entry.at(i) for i in range(len(entry.value))}).values())


def _mapping(kind: Any, entry: Entry) -> Any:
    if not isinstance(entry.value, dict):
        raise _mismatch(entry, "a table")
    return _each(kind, {key: entry.at(key) for key in entry.value})


def _each(kind: Any, entries: Mapping[Any, Entry]) -> dict[Any, Any]:
    """All of them, each of one type."""
    return _all(lambda entry: _value(kind, entry), entries)


def _all(make: Callable[[T], Any], entries: Mapping[Any, T]) -> dict[Any, Any]:
    """All of them, or what is wrong with any of them."""
    made, wrong = {}, False
    for key, entry in entries.items():
        try:
            made[key] = make(entry)
        except _Wrong:
            wrong = True
    if wrong:
        raise _Wrong
    return made


def _one_of(kinds: tuple[Any, ...], entry: Entry) -> Any:
    """The first of several types that the value looks like."""
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    for kind in kinds:
        if len(kinds) == 1 or _fits(kind, entry.value):
            return _value(kind, entry)
    raise _mismatch(entry, " or ".join(type_name(kind) for kind in kinds))


def _fits(kind: Any, value: Any) -> bool:
    """Whether a TOML value is of the sort that C{kind} is written as."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in PLAIN:
        return isinstance(value, kind)
    if get_origin(kind) in ARRAYS:
        return isinstance(value, list)
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return any(value == each.value for each in kind)
    return isinstance(value, dict)


def type_name(kind: Any) -> str:
    """What the operator calls a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if origin in ARRAYS:
        return f"an array, each {type_name(arguments[0])}"
    if origin in (dict, Mapping):
        return f"a table, each {type_name(arguments[1])}"
    if origin is Literal:
        return " or ".join(map(shown, arguments))
    if origin in (Union, UnionType):
        return " or ".join(type_name(each) for each in arguments if each is not NoneType)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(shown(each.value) for each in kind)
    return "a table" if isinstance(kind, type) and has(kind) else "a string"


def _mismatch(entry: Entry, expected: str) -> _Wrong:
    """Say that the value is of the wrong type."""
    entry.complain(f"must be {expected}, not {shown(entry.value)}")
    return _Wrong()


def shown(value: Any) -> str:
    """A TOML value as the operator wrote it, if it is short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 80 else f"{value[:80]}…", ensure_ascii=False)
    if isinstance(value, list | dict):
        return TOML_NAMES[type(value)]
    return str(value)


@runtime_checkable
class Written(Protocol):
    """What was made of texts, and still knows them."""

    @property
    def texts(self) -> Iterable[str | int]:
        """As the operator writes them."""


def as_toml(value: Any) -> str:
    """A value of a settings class as the operator would write it."""
    if isinstance(value, Enum):
        return shown(value.value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {as_toml(each)}" for key, each in value.items()) + "}"
    if type(value) is frozenset:
        return "[" + ", ".join(sorted(map(as_toml, value))) + "]"
    if type(value) in (tuple, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, bool | int | float | str):
        return shown(value)
    if isinstance(value, re.Pattern):
        return shown(value.pattern)
    if isinstance(value, Written):
        return as_toml(tuple(value.texts))
    return shown(str(value))

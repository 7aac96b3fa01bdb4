"""Which tables of settings say where they are written: the tests and lists that can match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import fields, has


def places_in(settings: Any) -> Iterator[str]:
    """The places of all such tables in some settings, by line: C{"services/web.toml:12"}."""
    kind: Any = type(settings)
    if not has(kind):
        return
    for each in fields(kind):
        value = getattr(settings, each.name)
        if each.metadata.get("written_at"):
            if value:
                yield ":".join(value.split(":")[:2])
        elif each.metadata:
            for table in _tables(value):
                yield from places_in(table)


def _tables(value: Any) -> tuple[Any, ...]:
    """The tables that a setting holds. What begins with none has none: lists may be long."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return value if value and has(type(value[0])) else ()
    return (value,)

"""Services that settings name: each must be there, and inspect what it is named for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.policy.document import Entry
from gateway.policy.problem import did_you_mean
from gateway.policy.service import Service
from gateway.policy.settings import keys_of
from gateway.policy.structure import class_within, type_hints


def check_named(by: Service, entries: Iterable[Entry], services: Mapping[str, Service]) -> None:
    """Complain about each name in C{by}'s C{entries} that is no service, or none for it."""
    for entry in entries:
        name = entry.value
        if name not in services:
            entry.complain(f'no service "{name}"{did_you_mean(name, services)}')
            continue
        maker = services[name].maker
        if maker is None:
            entry.complain(f'service "{name}" does not inspect')
        elif maker.serves and by.maker is not None and by.maker.name not in maker.serves:
            whom = ", ".join(f'"{each}"' for each in sorted(maker.serves))
            entry.complain(f'service "{name}" ("{maker.name}") is for services of {whom} only')


def named(kind: type, table: Entry) -> Iterator[Entry]:
    """The entries that name a service, in a table of the class C{kind} and all tables in it."""
    hints = type_hints(kind)
    for key, attribute in keys_of(kind).items():
        entry = table.at(key)
        if attribute.metadata.get("names_service"):
            yield from _names(entry)
            continue
        within = class_within(attribute, hints[attribute.name])
        if within is not None:
            for one in _elements(entry):
                yield from named(within, one)


def _names(entry: Entry) -> Iterator[Entry]:
    """The names that an entry is, or holds."""
    if isinstance(entry.value, str):
        if entry.value:
            yield entry
        return
    for step in _steps(entry.value):
        yield from _names(entry.at(step))


def _steps(value: Any) -> Iterator[str | int]:
    if isinstance(value, list):
        yield from range(len(value))
    elif isinstance(value, dict):
        yield from value


def _elements(entry: Entry) -> Iterator[Entry]:
    """The tables of an array of tables, or the only one."""
    if isinstance(entry.value, list):
        yield from (entry.at(index) for index in range(len(entry.value)))
    else:
        yield entry

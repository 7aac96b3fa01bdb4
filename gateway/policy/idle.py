"""
Idle: how long a service's sessions may be silent, and whether its inspector's own time limits fit.

While an inspector waits for somebody who says nothing, the session is idle as well. If
C{idle_seconds} ends it first, the inspector's limit means nothing, and the peer hears of
a hang-up in place of a reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import has

from gateway.policy.document import Entry
from gateway.policy.limits import ServiceLimits
from gateway.policy.settings import keys_of

LATE = 5.0
"""Seconds, with some to spare: inspectors' timers may come a little later than they should."""


def idle_seconds(limits: ServiceLimits, settings: Any, table: Entry, written: Entry) -> float:
    """
    How long sessions may be idle.

    Where nobody has said so, as long as the inspector's limits need it. What somebody has
    said must be more than each of them.

    @param table: where the settings are written, if they are.
    @param written: C{idle_seconds}, if it is written.
    """
    found = [(entry, seconds) for entry, seconds in _limits(settings, table) if seconds]
    if written.value is None:
        return max((limits.idle_seconds, *(seconds + LATE for _, seconds in found)))
    if limits.idle_seconds:
        _check(limits.idle_seconds, found, written)
    return limits.idle_seconds


def _check(idle: float, found: list[tuple[Entry, float]], written: Entry) -> None:
    cut = [(entry, seconds) for entry, seconds in found if seconds >= idle]
    for entry, seconds in cut:
        if entry.value is not None:
            entry.complain(
                f"limits.idle_seconds = {idle:g} ends a session before {seconds:g} seconds are "
                "over: set that to more than this, leave it out, or lower this"
            )
    defaults = [f"{entry.key} = {seconds:g}" for entry, seconds in cut if entry.value is None]
    if defaults:
        written.complain(
            f"{idle:g} ends a session before these limits run out, which are as by default: "
            f"{', '.join(defaults)}. Set this to more, leave it out, or lower those"
        )


def _limits(settings: Any, table: Entry) -> Iterator[tuple[Entry, float]]:
    """All limits that may run out in silence, in the settings and all tables in them."""
    if isinstance(settings, Mapping):
        for name, one in settings.items():
            yield from _limits(one, table.at(name))
    elif isinstance(settings, tuple):
        for index, one in enumerate(settings):
            yield from _limits(one, table.at(index))
    elif has(type(settings)):
        for key, attribute in keys_of(type(settings)).items():
            value, entry = getattr(settings, attribute.name), table.at(key)
            if attribute.metadata.get("in_silence"):
                yield entry, value or 0.0
            else:
                yield from _limits(value, entry)

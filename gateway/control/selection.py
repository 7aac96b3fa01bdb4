"""A Selection: which sessions are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from gateway.control.networks import read_network, within
from gateway.control.question import Asked, Misasked, number, text
from gateway.control.survey import Rate
from gateway.observe.snapshot import Snapshot
from gateway.policy.policy import Policy

MOST_IDS = 5000
"""Of a list of sessions."""


class Seen(NamedTuple):
    """A session as a filter sees it."""

    snapshot: Snapshot
    now: float
    rate: Rate | None


Matches = Callable[[Seen], bool]


def read_selection(asked: Asked, policy: Policy) -> Matches:
    """
    What tells whether a session is meant.

    @raise Misasked: a filter can't be read.
    """
    tests = [read(asked, key, policy) for key, read in _FILTERS.items() if key in asked]
    return lambda seen: all(test(seen) for test in tests)


def ids(asked: Asked, key: str) -> frozenset[int]:
    """
    The session numbers of C{key}: one, or a list.

    @raise Misasked: they are none.
    """
    wanted = asked[key]
    listed: Iterable[Any] = wanted if isinstance(wanted, list) else [wanted]
    found = frozenset(each for each in listed if type(each) is int)
    if len(found) != len(set(map(repr, listed))) or len(found) > MOST_IDS:
        raise Misasked(f"{key}: neither a session's number nor a list of at most {MOST_IDS}")
    return found


def _id(asked: Asked, key: str, policy: Policy) -> Matches:
    wanted = ids(asked, key)
    return lambda seen: seen.snapshot.identity.id in wanted


def _parent(asked: Asked, key: str, policy: Policy) -> Matches:
    wanted = ids(asked, key)
    return lambda seen: seen.snapshot.identity.parent in wanted


def _service(asked: Asked, key: str, policy: Policy) -> Matches:
    wanted = text(asked, key)
    return lambda seen: seen.snapshot.identity.service == wanted


def _protocol(asked: Asked, key: str, policy: Policy) -> Matches:
    wanted = text(asked, key)
    return lambda seen: seen.snapshot.identity.protocol.value == wanted


def _state(asked: Asked, key: str, policy: Policy) -> Matches:
    wanted = text(asked, key)
    return lambda seen: seen.snapshot.state == wanted


def _client(asked: Asked, key: str, policy: Policy) -> Matches:
    holds = read_network(text(asked, key), key)
    return lambda seen: holds(seen.snapshot.identity.client.host)


def _server(asked: Asked, key: str, policy: Policy) -> Matches:
    holds = read_network(text(asked, key), key)
    return lambda seen: holds(seen.snapshot.identity.server.host)


def _zone(asked: Asked, key: str, policy: Policy) -> Matches:
    zone = policy.zones.get(text(asked, key))
    if zone is None:
        known = ", ".join(policy.zones) or "none"
        raise Misasked(f"{key}: no zone {text(asked, key)[:64]!r}; there are {known}")
    holds = within(zone.networks)
    return lambda seen: (
        holds(seen.snapshot.identity.client.host) or holds(seen.snapshot.identity.server.host)
    )


def _at_least(measure: Callable[[Seen], float], asked: Asked, key: str, policy: Policy) -> Matches:
    least = number(asked, key) or 0
    return lambda seen: measure(seen) >= least


def _rate(seen: Seen) -> float:
    return 0.0 if seen.rate is None else seen.rate.total


MEASURES: Mapping[str, Callable[[Seen], float]] = {
    "age": lambda seen: seen.now - seen.snapshot.started,
    "idle": lambda seen: seen.snapshot.idle,
    "bytes": lambda seen: seen.snapshot.bytes,
    "rate": _rate,
}
"""What sessions are measured by, and sorted."""

_FILTERS: Mapping[str, Callable[[Asked, str, Policy], Matches]] = {
    "id": _id,
    "service": _service,
    "client": _client,
    "server": _server,
    "zone": _zone,
    "protocol": _protocol,
    "state": _state,
    "parent": _parent,
    **{key: partial(_at_least, measure) for key, measure in MEASURES.items()},
}

FILTERS = tuple(_FILTERS)
"""The keys."""

"""
Following: the audit's records, told to somebody as they are written.

Who follows never delays who writes: what he can't take now is counted, and he is told
how much he has missed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any, Protocol

from gateway.control.networks import read_network
from gateway.control.question import Asked, Misasked, check_keys, text, truth
from gateway.observe.log import PrintableLogger

log = PrintableLogger()

Record = Mapping[str, Any]
Matches = Callable[[Record], bool]

MOST = 16
"""Followers at one time: each costs each record a few microseconds."""

MOST_AND_OPERATORS = 2 * MOST
"""For who may change something: whoever only looks, however often, doesn't keep him out."""

MOST_AND_OWN = MOST_AND_OPERATORS + 1
"""For the gateway's own console."""


class Follower(Protocol):
    """Somebody who follows."""

    @property
    def ready(self) -> bool:
        """Whether he takes more now."""

    def told(self, line: bytes) -> None:
        """A record: one JSON object, without its line end."""

    def missed(self, count: int) -> None:
        """So many records that matched could not be told."""


class Tap(Protocol):
    """Where records come from, see L{gateway.observe.audit.Audit}."""

    def tap(self, tell: Callable[[bytes], object] | None) -> None:
        """Have each record told, from now on; C{None}: no more."""


class Followed:
    """
    All who follow.

    @param source: where records come from. It is asked for them only while somebody follows.
    """

    def __init__(self, source: Tap) -> None:
        self._source = source
        self._followings: tuple[Following, ...] = ()

    def follow(self, asked: Asked, follower: Follower, most: int = MOST) -> Following:
        """
        Tell C{follower} what matches C{asked}.

        @param most: how many there may be then.
        @raise Misasked: no such filter, or there are too many who follow.
        """
        matches, words = read_filter(asked), _words(asked)
        if len(self._followings) >= most:
            raise Misasked(f"{most} others follow the audit already")
        following = Following(matches, follower, self._forget, words)
        self._followings += (following,)
        self._source.tap(self._tell)
        return following

    def _tell(self, line: bytes) -> None:
        meant = [following for following in self._followings if following.may_mean(line)]
        if not meant:
            return
        # who wants everything needs nothing read
        record = _read(line) if any(following.reads for following in meant) else {}
        for following in meant:
            try:
                following.tell(record, line)
            except Exception:  # whoever follows, whoever wrote that goes on
                log.failure("a follower could not be told")
                following.stop()

    def _forget(self, following: Following) -> None:
        self._followings = tuple(each for each in self._followings if each is not following)
        if not self._followings:
            self._source.tap(None)


class Following:
    """
    One who follows.

    @param words: of each of these groups, one is in each record that matches.
    @ivar reads: whether records have to be read to know.
    """

    def __init__(
        self,
        matches: Matches | None,
        follower: Follower,
        over: Callable[[Following], None],
        words: Sequence[Sequence[bytes]] = (),
    ) -> None:
        self.reads = matches is not None
        self._matches = matches
        self._words = words
        self._follower = follower
        self._over = over
        self._missed = 0

    def may_mean(self, line: bytes) -> bool:
        """Whether the record has to be read: most of them never are."""
        return all(any(word in line for word in group) for group in self._words)

    def tell(self, record: Record, line: bytes) -> None:
        """A record was written: tell it, if it matches and he takes it."""
        if self._matches is not None and not _is_meant(self._matches, record):
            return
        if not self._follower.ready:
            self._missed += 1
            return
        self.catch_up()
        self._follower.told(line.rstrip(b"\n"))

    def catch_up(self) -> None:
        """Tell what was missed, if anything. For a follower who has become ready."""
        if self._missed:
            missed, self._missed = self._missed, 0
            self._follower.missed(missed)

    def stop(self) -> None:
        """Follow no more."""
        self._over(self)


# What matches


def _read(line: bytes) -> Record:
    """A record. What a worker that has gone mad has written may be none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_meant(matches: Matches, record: Record) -> bool:
    """Whether a record matches. One that is not like a record does not."""
    try:
        return matches(record)
    except (LookupError, TypeError, ValueError, AttributeError):
        return False


DENIED = (b'"denied', b'"refused"')
"""The verdict, or who denied it; or a count of what was refused."""


def _words(asked: Asked) -> Sequence[Sequence[bytes]]:
    """What a record that matches has in it, without reading it. The filters have been checked."""
    groups: list[Sequence[bytes]] = []
    if asked.get("id") is not None:
        groups.append((str(asked["id"]).encode(),))
    if asked.get("denied"):
        groups.append(DENIED)
    if asked.get("type") is not None:
        types = [asked["type"]] if isinstance(asked["type"], str) else asked["type"]
        groups.append([_member("event_type", each) for each in types])
    groups += [(_member(key, asked[key]),) for key in ("service", "verdict") if asked.get(key)]
    for key, field in _ADDRESSES.items():
        host = asked.get(key)
        if host and "/" not in host:
            groups.append((_member(field, str(ip_address(host))),))
    return groups


def _member(key: str, value: str) -> bytes:
    """As records are written: without spaces, in ASCII."""
    return json.dumps({key: value}, separators=(",", ":"))[1:-1].encode()


def read_filter(asked: Asked) -> Matches | None:
    """
    What a question wants to be told; C{None}: everything.

    @raise Misasked: it can't be read.
    """
    check_keys(asked, tuple(_FILTERS))
    tests = [read(asked, key) for key, read in _FILTERS.items() if asked.get(key) is not None]
    return (lambda record: all(test(record) for test in tests)) if tests else None


def _type(asked: Asked, key: str) -> Matches:
    wanted = asked[key]
    types = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(types, Sequence) or not all(isinstance(each, str) for each in types):
        raise Misasked(f"{key}: neither a word nor a list of words")
    chosen = frozenset(types)
    return lambda record: record["event_type"] in chosen


def _id(asked: Asked, key: str) -> Matches:
    wanted = asked[key]
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise Misasked(f"{key}: not a number")
    return lambda record: wanted in (record.get("flow_id"), record.get("parent_id"))


def _own(asked: Asked, key: str) -> Matches:
    wanted = text(asked, key)
    return lambda record: record.get("gateway", {}).get(key) == wanted


def _network(field: str, asked: Asked, key: str) -> Matches:
    holds = read_network(text(asked, key), key)
    return lambda record: field in record and holds(record[field])


def _denied(asked: Asked, key: str) -> Matches:
    wanted = truth(asked, key)
    return lambda record: _is_denied(record) or not wanted


def _is_denied(record: Record) -> bool:
    own = record.get("gateway", {})
    refused = "refused" in record.get("audit", ())
    return bool(own.get("verdict") == "denied" or own.get("denied_by") or refused)


_ADDRESSES = {"client": "src_ip", "server": "dest_ip"}
"""Filters, and the fields of records that they are about."""

_FILTERS: dict[str, Callable[[Asked, str], Matches]] = {
    "type": _type,
    "id": _id,
    "service": _own,
    "verdict": _own,
    **{key: partial(_network, field) for key, field in _ADDRESSES.items()},
    "denied": _denied,
}

"""
Counts: how many there are of what is limited, whoever has them.

Exact also if several processes count: add first, then look, and take back what is too many. So
there are never more than may be; of two who want the last place at the same time, both may
be refused.

L{OwnCounts} are those of a process that is alone, L{gateway.workers.table} those of several.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

Key = tuple[str, ...]
"""What is counted, the kind of it first: C{("client", "192.0.2.1")}."""


KERNEL: tuple[Key] = (("kernel",),)
"""The key of sessions that go on without the process that counts them."""

Keys = Collection[Key]
"""What is counted together: what one session counts for. Tuples, or L{Together}."""


class Together:
    """Keys that are counted together again and again: known by itself, without a look at each."""

    __slots__ = ("_keys",)

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._keys = keys

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys


class Counts(Protocol):
    """How many there are of each key."""

    def take(self, keys: Keys, most: Sequence[int], count: int = 1) -> int:
        """
        So many more of each, unless there were too many then.

        @param most: how many there may be of each; 0: no limit.
        @return: the index of the first key of which there are too many; -1: they are taken.
        """

    def add(self, keys: Keys, count: int = 1) -> None:
        """So many more of each, whatever the limits are."""

    def less(self, keys: Keys, count: int = 1) -> None:
        """So many less: of those that were taken, or added, here."""

    def of(self, key: Key) -> int:
        """How many there are."""


class OwnCounts:
    """L{Counts} of a process that is alone. What is at zero is forgotten."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}

    def take(self, keys: Keys, most: Sequence[int], count: int = 1) -> int:
        """See L{Counts.take}."""
        counts = self._counts
        for index, key in enumerate(keys):
            if most[index] and counts.get(key, 0) + count > most[index]:
                return index
        for key in keys:
            counts[key] = counts.get(key, 0) + count
        return -1

    def add(self, keys: Keys, count: int = 1) -> None:
        """See L{Counts.add}."""
        counts = self._counts
        for key in keys:
            counts[key] = counts.get(key, 0) + count

    def less(self, keys: Keys, count: int = 1) -> None:
        """See L{Counts.less}."""
        counts = self._counts
        for key in keys:
            left = counts.get(key, 0) - count
            if left > 0:
                counts[key] = left
            else:
                counts.pop(key, None)

    def of(self, key: Key) -> int:
        """See L{Counts.of}."""
        return self._counts.get(key, 0)

    def __len__(self) -> int:
        """How many keys are not at zero."""
        return len(self._counts)

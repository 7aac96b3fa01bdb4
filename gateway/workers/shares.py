"""
Shares: which of all listening sockets are a worker's.

Where its policy wants listeners it has one of as many as there are workers. Sockets beyond that,
and those at places of a former policy, are shared out: somebody has to accept who is on his way
there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from gateway.admission.listeners import Place
from gateway.workers.spec import read_place, write_place


class Shares:
    """
    @param sockets: the descriptors of all, as L{NurserySpec<gateway.workers.spec.NurserySpec>} has
        them.
    @param needed: where the policy wants listeners.
    @param count: how many workers there are.
    """

    def __init__(self, sockets: Iterable[list[Any]], needed: Collection[Place], count: int) -> None:
        self._sockets = [read_place(each) for each in sockets]
        self._needed = needed
        self._count = count

    def own(self, index: int) -> dict[Place, int]:
        """The worker's own, for its policy."""
        return {
            place: descriptors[index]
            for place, descriptors in self._sockets
            if index < self._most(place)
        }

    def others(self, index: int) -> Iterator[tuple[Place, int]]:
        """Those at which it accepts as well, for a while."""
        for place, descriptors in self._sockets:
            for number, descriptor in enumerate(descriptors):
                if number >= self._most(place) and number % self._count == index:
                    yield place, descriptor

    def needless(self) -> Iterator[int]:
        """All that are no worker's own."""
        for place, descriptors in self._sockets:
            yield from descriptors[self._most(place) :]

    def settled(self) -> list[list[Any]]:
        """The sockets without those."""
        return [
            write_place(place, descriptors[: self._most(place)])
            for place, descriptors in self._sockets
            if self._most(place)
        ]

    def _most(self, place: Place) -> int:
        return self._count if place in self._needed else 0

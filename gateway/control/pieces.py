"""Pieces: what is done with very many things, so that traffic has its turns meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from gateway.control.budget import Budget

T = TypeVar("T")
R = TypeVar("R")


class Pieces:
    """
    @param clock: has turns for others.
    @param budget: what is done goes onto its account.
    """

    def __init__(self, clock: IReactorTime, budget: Budget) -> None:
        self._clock = clock
        self._budget = budget

    def each(
        self, things: Iterable[T], do: Callable[[T], R | None], size: int
    ) -> Deferred[list[R]]:
        """
        Do something with each.

        @param size: with so many in one turn.
        @return: fires with what it gave, but for C{None}, or fails with what it raised.
        """
        done: Deferred[list[R]] = Deferred()
        self._go_on(iter(things), do, size, [], done)
        return done

    def _go_on(
        self,
        things: Iterator[T],
        do: Callable[[T], R | None],
        size: int,
        found: list[R],
        done: Deferred[list[R]],
    ) -> None:
        try:
            with self._budget.spending():
                piece = list(islice(things, size))
                for each in piece:
                    result = do(each)
                    if result is not None:
                        found.append(result)
        except Exception:
            done.errback()
            return
        if len(piece) < size:
            done.callback(found)
        else:
            self._clock.callLater(0, self._go_on, things, do, size, found, done)

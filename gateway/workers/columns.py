"""Columns: where in the table which worker counts, and from where it numbers its sessions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from threading import Lock

from gateway.workers.estate import Estate, left, taken
from gateway.workers.spec import WorkerSpec
from gateway.workers.table import COLUMNS, Table


class Columns:
    """
    @param sessions: how many there may be.
    @param clock: seconds since the epoch.
    """

    def __init__(self, sessions: int, clock: Callable[[], float]) -> None:
        self.table = Table(sessions)
        self._clock = clock
        self._lock = Lock()
        self._free = list(range(1, COLUMNS))
        self._second = 0
        self._most = 1

    def inherit(self, told: Estate) -> None:
        """What a predecessor has left is in place of our own."""
        os.close(self.table.descriptor)
        self.table = Table.inherited(taken(told["table"]))
        self._free, self._second, self._most = told["free"], told["second"], told["most"]

    def bequeath(self) -> Estate:
        """For L{inherit}."""
        return {
            "table": left(self.table.descriptor),
            "free": self._free,
            "second": self._second,
            "most": self._most,
        }

    @property
    def free(self) -> int:
        """How many are."""
        return len(self._free)

    def specs(self, indices: Iterable[int]) -> list[WorkerSpec]:
        """For workers to come: columns that nobody else has, and numbers that nobody else gives."""
        with self._lock:
            return [self._spec(index) for index in indices]

    def _spec(self, index: int) -> WorkerSpec:
        column = min(self._free)
        self._free.remove(column)
        self._most = max(self._most, column + 1)
        self.table.use(self._most)
        # of two that have the same column, one after the other, none begins in the same second
        self._second = max(int(self._clock()), self._second + 1)
        return WorkerSpec(index, column, self._second)

    def give_back(self, specs: Iterable[WorkerSpec]) -> None:
        """There are no such workers."""
        for spec in specs:
            self.clear(spec.column)

    def clear(self, column: int) -> int:
        """
        A worker has ended.

        @return: how many sessions have ended with it.
        """
        sessions = self.table.clear(column)
        with self._lock:
            self._free.append(column)
        return sessions

"""
The table: L{Counts<gateway.counts.Counts>} of several workers, in memory that they share.

A row for each key, and in it a cell for each worker, that only that worker writes. So the
ordinary way takes no lock: a worker that hangs or is killed is in nobody's way, and whoever
looks after it sets its cells to zero. A row is found, made and given back under flock(2), which
the kernel undoes for the dead. A worker keeps the rows that it has used, until there are many.

What is added has to be seen by others before one looks oneself. On x86 the interlocked
instructions of a lock that is taken in between see to that; elsewhere the kernel's barriers
do, sooner or later: two who race for the last place could both get it there.

To look at all cells of a row costs more than to count. So whoever has looked, and has seen less
than half of a limit, adds its I{share} without another look: a quarter of the limit, divided by all
workers. Since the last look of anybody each has added no more than its share, so that there are
three quarters at most. Who sees half or more says so in the row, for ever, and there everybody
looks each time. (Between three quarters and all there are so many sessions to come that what was
added by somebody who has not read that yet has long been seen.) If the number of workers
changes, all look again.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from threading import Lock

from gateway.counts import KERNEL, Key, Keys

COLUMNS = 64
"""
Of each row. The first one is nobody's, so there may be one worker less at one time, those that only
drain included.
"""

SPARE = 262144
"""Rows beside those that the limits need: such as workers keep though they count nothing there."""

KEPT = 4096
"""Rows that a worker keeps, before it gives back those that it does not count in any more."""

HELD = 1
"""In a cell: this worker knows the row. What it counts is added to it."""

LEAST_SHARE = 4
"""Smaller ones are not worth it, and too near to the limit."""

MUCH = 1 << 62
"""More than whatever a limit is."""

ALL: Key = ("all",)
"""What each session is counted as."""

LONGEST_CHAIN = 4096
"""Rows that are looked through without a lock: there are a few of them to a bucket."""

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL

_CELL = 8
_COLUMNS, _FREE, _FRESH, _OWNER, _SALT = 0, 1, 2, 3, 4
"""Of the header: columns in use, the first free row, the first new one, who has the lock."""

_HEADER = 8
_BUCKETS = 65536
_NEXT, _KEY, _NEAR, _CELLS = 0, 1, 3, 4
"""Of each row: the next one, the key, whether everybody has to look, what workers count."""

_ROW = _CELLS + COLUMNS
_FULL = _HEADER + _BUCKETS
"""The row that stands for those that can't be had: there are more than whatever the limit is."""


class Table:
    """
    The table, as who holds it for all sees it. It takes no lock.

    @param sessions: how many there may be.
    """

    def __init__(self, sessions: int) -> None:
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        self.descriptor = os.memfd_create("tproxygw-counts", flags)
        rows = 4 * sessions + SPARE
        os.ftruncate(self.descriptor, _CELL * (_FULL + _ROW * (rows + 1)))
        # no worker can take memory away that others read
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, SEALS)
        cells = self._cells = _mapped(self.descriptor)
        cells[_FULL + _CELLS] = MUCH
        cells[_FULL + _NEAR] = 1
        cells[_FRESH] = _FULL + _ROW
        cells[_SALT] = int.from_bytes(os.urandom(7), "big")

    @classmethod
    def inherited(cls, descriptor: int) -> Table:
        """One that a predecessor has left."""
        table = cls.__new__(cls)
        table.descriptor = descriptor
        table._cells = _mapped(descriptor)
        return table

    def use(self, columns: int) -> None:
        """The first so many columns may be in use from now on, nobody's included."""
        self._cells[_COLUMNS] = columns

    @property
    def sessions(self) -> int:
        """How many there may be: with four rows for each, nobody is refused for want of one."""
        return (len(self._cells) - _FULL - _ROW) // (4 * _ROW)

    @property
    def owner(self) -> int:
        """The column of the worker that is finding a row now; 0: none is."""
        return self._cells[_OWNER]

    def clear(self, column: int) -> int:
        """
        A worker has ended: it counts nothing any more.

        Workers can write everything in here: nothing is believed that they have written.

        @return: how many sessions it had, but for those that the kernel has, which others take.
        """
        its = SharedCounts(self.descriptor, column)
        counted = max(0, its.own(ALL) - its.own(KERNEL[0]))
        fresh = min(self._cells[_FRESH], len(self._cells))
        first = _FULL + _ROW + _CELLS + column
        if first < fresh:
            count = len(range(first, fresh, _ROW))
            self._cells[first:fresh:_ROW] = memoryview(array("q", bytes(_CELL * count)))
        return counted


class _Row:
    """
    A row, as one worker sees it.

    @ivar cell: which is ours.
    @ivar near: where it says that everybody has to look.
    @ivar share: how many more may be counted without a look.
    @ivar limit: the limit that this goes by.
    """

    __slots__ = ("at", "cell", "limit", "near", "share")

    def __init__(self, at: int, column: int) -> None:
        self.at = at
        self.cell = at + _CELLS + column
        self.near = at + _NEAR
        self.share = self.limit = 0


class SharedCounts:
    """
    See L{Counts<gateway.counts.Counts>}.

    @param descriptor: of the table.
    @param column: which is ours, from 1 on.
    """

    def __init__(self, descriptor: int, column: int) -> None:
        # opened anew: a lock belongs to the open file
        self._file = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
        self._cells = _mapped(self._file)
        self._last = len(self._cells)
        self._column = column
        self._columns = 0
        self._salt = self._cells[_SALT].to_bytes(8, "big", signed=True)
        self._rows: dict[Key, _Row] = {}
        self._known: dict[Keys, tuple[_Row, ...]] = {}
        self._most = KEPT
        self._fence = Lock()

    def __del__(self) -> None:
        os.close(self._file)

    def take(self, keys: Keys, most: Sequence[int], count: int = 1) -> int:
        """See L{Counts.take<gateway.counts.Counts.take>}."""
        cells = self._cells
        found = self._known.get(keys) or self._rows_of(keys)
        for index, row in enumerate(found):
            cells[row.cell] += count
            limit = most[index]
            if not limit:
                continue
            share = row.share - count
            if (
                share >= 0
                and limit == row.limit
                and not cells[row.near]
                and cells[_COLUMNS] == self._columns
            ):
                row.share = share
            elif self._is_over(row, limit):
                self._less(found[: index + 1], count)
                return index
        return -1

    def _is_over(self, row: _Row, limit: int) -> bool:
        """Whether all together count more than C{limit}, ourselves included."""
        cells = self._cells
        self._be_seen()
        if not cells[row.near]:
            columns = cells[_COLUMNS]
            if columns != self._columns:
                self._forget_shares(columns)
            share = limit // (4 * columns)
            if share >= LEAST_SHARE and self._sum(row) <= limit // 2:
                row.share, row.limit = share, limit
                return False
            cells[row.near] = 1
            self._be_seen()
        return self._sum(row) > limit

    def _be_seen(self) -> None:
        """What was written is there for everybody, before we read on."""
        self._fence.acquire()
        self._fence.release()

    def _forget_shares(self, columns: int) -> None:
        """There are other workers."""
        self._columns = columns
        for row in self._rows.values():
            row.share = 0

    def add(self, keys: Keys, count: int = 1) -> None:
        """See L{Counts.add<gateway.counts.Counts.add>}."""
        cells = self._cells
        for row in self._known.get(keys) or self._rows_of(keys):
            cells[row.cell] += count
            row.share -= count
            if row.share < 0:
                self._is_over(row, row.limit)

    def less(self, keys: Keys, count: int = 1) -> None:
        """See L{Counts.less<gateway.counts.Counts.less>}."""
        self._less(self._known.get(keys) or self._rows_of(keys), count)

    def _less(self, rows: Iterable[_Row], count: int) -> None:
        cells = self._cells
        for row in rows:
            left = cells[row.cell] - count
            cells[row.cell] = left if left > HELD else HELD

    def of(self, key: Key) -> int:
        """See L{Counts.of<gateway.counts.Counts.of>}."""
        (row,) = self._known.get((key,)) or self._rows_of((key,))
        return self._sum(row)

    def _sum(self, row: _Row) -> int:
        """What all workers count in a row."""
        first, cells = row.at + _CELLS, self._cells
        counted = cells[first : first + cells[_COLUMNS]].tolist()
        return sum(counted) - HELD * (len(counted) - counted.count(0))

    def own(self, key: Key) -> int:
        """
        How many of them are this worker's. That takes no lock, which somebody who hangs may have:
        if rows are given back meanwhile, it may be 0.
        """
        cells = self._cells
        low, high = self._digest(key)
        row = cells[_HEADER + low % _BUCKETS]
        for _ in range(LONGEST_CHAIN):
            if not _FULL < row <= self._last - _ROW:
                return 0
            if (cells[row + _KEY], cells[row + _KEY + 1]) == (low, high):
                return max(0, cells[row + _CELLS + self._column] - HELD)
            row = cells[row + _NEXT]
        return 0

    # Rows

    def _rows_of(self, keys: Keys) -> tuple[_Row, ...]:
        """The rows for C{keys}."""
        if len(self._rows) + len(keys) > self._most or len(self._known) > 2 * self._most:
            self._give_back()
        rows = tuple([self._rows.get(key) or self._row_of(key) for key in keys])
        if all(row.at != _FULL for row in rows):
            self._known[keys] = rows
        return rows

    def _row_of(self, key: Key) -> _Row:
        """The row for C{key}, found or made; the one that is full if there are no more."""
        digest = self._digest(key)
        with self._locked():
            row = _Row(self._find(*digest) or self._make(*digest), self._column)
            self._cells[row.cell] = HELD
        if row.at != _FULL:
            self._rows[key] = row
        return row

    def _digest(self, key: Key) -> tuple[int, int]:
        made = blake2b("\0".join(key).encode(), digest_size=16, key=self._salt).digest()
        return (
            int.from_bytes(made[:8], "little", signed=True),
            int.from_bytes(made[8:], "little", signed=True),
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._cells[_OWNER] = self._column
        try:
            yield
        finally:
            self._cells[_OWNER] = 0
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _find(self, low: int, high: int) -> int:
        cells = self._cells
        row = cells[_HEADER + low % _BUCKETS]
        while row and (cells[row + _KEY] != low or cells[row + _KEY + 1] != high):
            row = cells[row + _NEXT]
        return row

    def _make(self, low: int, high: int) -> int:
        """A new row. Each step leaves chains that are whole: who is killed here loses a row."""
        cells, bucket = self._cells, _HEADER + low % _BUCKETS
        row = self._unused()
        if row != _FULL:
            cells[row + _KEY], cells[row + _KEY + 1] = low, high
            cells[row + _NEAR] = 0
            cells[row + _NEXT] = cells[bucket]
            cells[bucket] = row
        return row

    def _unused(self) -> int:
        cells = self._cells
        row, fresh = cells[_FREE], cells[_FRESH]
        if not row and fresh + _ROW > self._last:
            self._collect()
            row = cells[_FREE]
        if row:
            cells[_FREE] = cells[row + _NEXT]
            return row
        if fresh + _ROW > self._last:
            return _FULL
        cells[_FRESH] = fresh + _ROW
        return fresh

    def _give_back(self) -> None:
        """What is not counted here any more need not be kept."""
        cells = self._cells
        self._known.clear()
        with self._locked():
            for key, row in tuple(self._rows.items()):
                if cells[row.cell] == HELD:
                    cells[row.cell] = 0
                    del self._rows[key]
                    if not any(cells[row.at + _CELLS : row.at + _ROW]):
                        self._unlink(row.at)
        self._most = max(KEPT, 2 * len(self._rows))

    def _unlink(self, row: int) -> None:
        cells = self._cells
        at = _HEADER + cells[row + _KEY] % _BUCKETS
        while cells[at] and cells[at] != row:
            at = cells[at] + _NEXT
        if cells[at]:
            cells[at] = cells[row + _NEXT]
        cells[row + _NEXT] = cells[_FREE]
        cells[_FREE] = row

    def _collect(self) -> None:
        """All rows are in use, also such as only the dead have counted in."""
        cells = self._cells
        cells[_FREE] = 0
        for row in range(_FULL + _ROW, cells[_FRESH], _ROW):
            if not any(cells[row + _CELLS : row + _ROW]):
                self._unlink(row)


def _mapped(descriptor: int) -> memoryview:
    return memoryview(mmap.mmap(descriptor, os.fstat(descriptor).st_size)).cast("q")

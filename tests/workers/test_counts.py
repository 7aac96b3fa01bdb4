"""Counts: of a process that is alone, and in the table that workers share."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
from collections.abc import Callable
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from gateway.counts import Counts, Keys, OwnCounts
from gateway.workers import table
from gateway.workers.table import SharedCounts, Table

CLIENT: Keys = (("client", "192.0.2.1"), ("service", "web"))


class Contract:
    """What both promise."""

    def counts(self) -> Counts:
        raise NotImplementedError

    def test_limit(self) -> None:
        """There are as many as may be, and one more when one has gone."""
        counts = self.counts()
        taken = [counts.take(CLIENT, (0, 3)) for _ in range(5)]
        self.assertEqual(taken, [-1, -1, -1, 1, 1])
        self.assertEqual(counts.of(CLIENT[0]), 3)
        counts.less(CLIENT)
        self.assertEqual([counts.take(CLIENT, (0, 3)) for _ in range(2)], [-1, 1])

    def test_which(self) -> None:
        """The first limit that is reached is told."""
        counts = self.counts()
        counts.add((CLIENT[1],))
        self.assertEqual(counts.take(CLIENT, (1, 1)), 1)
        counts.add((CLIENT[0],))
        self.assertEqual(counts.take(CLIENT, (1, 1)), 0)

    def test_bytes(self) -> None:
        """Much is counted at once."""
        counts = self.counts()
        self.assertEqual(counts.take(CLIENT[:1], (1 << 45,), 1 << 44), -1)
        self.assertEqual(counts.take(CLIENT[:1], (1 << 45,), (1 << 44) + 1), 0)
        counts.less(CLIENT[:1], 1 << 44)
        self.assertEqual(counts.of(CLIENT[0]), 0)

    def test_never_below_zero(self) -> None:
        """What was not there is not missing afterwards."""
        counts = self.counts()
        counts.less(CLIENT)
        counts.add(CLIENT)
        self.assertEqual(counts.of(CLIENT[0]), 1)

    assertEqual: Callable[..., object]


class OwnCountsTests(Contract, SynchronousTestCase):
    """Of a process that is alone."""

    def counts(self) -> Counts:
        return OwnCounts()


class SharedCountsTests(Contract, SynchronousTestCase):
    """Of several workers."""

    def setUp(self) -> None:
        self.table = Table(100)
        self.addCleanup(os.close, self.table.descriptor)
        self.table.use(6)

    def counts(self) -> SharedCounts:
        return self.worker(1)

    def worker(self, column: int) -> SharedCounts:
        return SharedCounts(self.table.descriptor, column)

    def test_together(self) -> None:
        """A limit is for all workers."""
        workers = [self.worker(column) for column in range(1, 5)]
        taken = [worker.take(CLIENT, (5, 0)) for worker in workers for _ in range(2)]
        self.assertEqual(taken, [-1] * 5 + [0] * 3)
        self.assertEqual({worker.of(CLIENT[0]) for worker in workers}, {5})

    def test_together_and_many(self) -> None:
        """So it is of many, in whatever turn they count, though not everybody always looks."""
        for turn in range(20):
            chance, name = Random(turn), (("client", str(turn)),)
            workers = [self.worker(column) for column in range(1, 5)]
            has = [0] * len(workers)
            for _ in range(4000):
                which = chance.randrange(len(workers))
                full = sum(has) == 300
                if chance.random() < 0.7:
                    self.assertEqual(workers[which].take(name, (300,)), 0 if full else -1)
                    has[which] += not full
                elif chance.random() < 0.1 and not full:
                    workers[which].add(name)
                    has[which] += 1
                elif has[which]:
                    workers[which].less(name)
                    has[which] -= 1
            self.assertEqual(workers[0].of(name[0]), sum(has))

    def test_has_not_looked_lately(self) -> None:
        """Who might count without a look at the others' does look when there are many."""
        for others in (self.until_refused, self.announced):
            name = ((others.__name__,),)
            one, other = self.worker(1), self.worker(2)
            self.assertEqual(one.take(name, (300,)), -1)
            others(other, name)
            self.assertEqual(one.take(name, (300,)), 0)

    def until_refused(self, worker: SharedCounts, name: Keys) -> None:
        self.assertEqual(sum(worker.take(name, (300,)) < 0 for _ in range(400)), 299)

    def announced(self, worker: SharedCounts, name: Keys) -> None:
        for _ in range(299):
            worker.add(name)

    def test_more_workers(self) -> None:
        """Nor are there too many when there were fewer workers at the last look of some."""
        workers: list[SharedCounts] = []
        for column in range(1, 60):
            self.table.use(column + 1)
            workers.append(self.worker(column))
            for _ in range(400 if column == 1 else 1):
                self.assertEqual(workers[-1].take(CLIENT, (1000, 0)), -1)
        for worker in workers:
            for _ in range(worker._rows[CLIENT[0]].share):  # as many as it would without a look
                worker.take(CLIENT, (1000, 0))
        self.assertLessEqual(workers[0].of(CLIENT[0]), 1000)

    def test_dead(self) -> None:
        """What a dead worker had counts no more; and its successor begins at nothing."""
        one, other = self.worker(1), self.worker(2)
        for _ in range(3):
            one.add(CLIENT)
            one.add((("all",),))
        other.add(CLIENT)
        self.assertEqual(self.table.clear(1), 3)
        self.assertEqual(other.of(CLIENT[0]), 1)
        self.assertEqual(self.worker(1).take(CLIENT, (2, 2)), -1)
        self.assertEqual(other.take(CLIENT, (2, 2)), 0)

    def test_dead_while_another_hangs(self) -> None:
        """Who looks after workers never waits for the lock of one that hangs."""
        one, other = self.worker(1), self.worker(2)
        one.add((("all",),))
        other.add((("all",),), 2)
        hanging = os.open(f"/proc/self/fd/{self.table.descriptor}", os.O_RDWR)
        self.addCleanup(os.close, hanging)
        fcntl.flock(hanging, fcntl.LOCK_EX)
        signal.alarm(20)  # of a lock that is waited for
        self.addCleanup(signal.alarm, 0)
        self.assertEqual(self.table.clear(1), 1)
        self.assertEqual(self.table.clear(2), 2)

    def test_dead_and_mad(self) -> None:
        """Whatever a worker has written there, at its end its column is cleared, and no more."""
        one = self.worker(1)
        one.add((("all",),))
        signal.alarm(60)  # of a circle
        self.addCleanup(signal.alarm, 0)
        cells = memoryview(mmap.mmap(self.table.descriptor, 0)).cast("q")
        for value in (1, -1, 2**62, len(cells) - 1, table._FULL + table._ROW):
            for cell in range(table._HEADER + table._BUCKETS):
                cells[cell] = value
            cells[table._FULL + table._ROW] = table._FULL + table._ROW  # a chain in a circle
            self.assertIn(self.table.clear(1), (0, 1))

    def test_size(self) -> None:
        """A worker can't take the table away from under the others."""
        one = self.worker(1)
        for size in (0, 1 << 40):
            self.assertRaises(OSError, os.ftruncate, one._file, size)

    def test_rows_come_back(self) -> None:
        """However many clients come, one after the other, none is taken for one too many."""
        self.patch(table, "KEPT", 10)
        self.patch(table, "SPARE", 0)
        self.table = Table(10)
        self.table.use(3)
        workers = [self.worker(column) for column in (1, 2)]
        for number in range(500):
            for worker in workers:
                keys = (("client", str(number)),)
                self.assertEqual(worker.take(keys, (2,)), -1)
            for worker in workers:
                worker.less(keys)

    def test_rows_of_the_dead(self) -> None:
        """Rows that only dead workers knew are found again."""
        self.patch(table, "SPARE", 0)
        self.table = Table(10)
        self.table.use(3)
        for column in range(8):
            worker = self.worker(column % 2 + 1)
            for number in range(30):
                self.assertEqual(worker.take((("client", f"{column} {number}"),), (1,)), -1)
            self.table.clear(column % 2 + 1)

    def test_no_row(self) -> None:
        """Without a row for it, nothing is admitted that has a limit, and it is not miscounted."""
        self.patch(table, "SPARE", 0)
        self.table = Table(1)
        self.table.use(2)
        worker = self.worker(1)
        for number in range(4):
            self.assertEqual(worker.take((("client", str(number)),), (9,)), -1)
        keys = (("client", "more"),)
        self.assertEqual(worker.take(keys, (9,)), 0)
        self.assertEqual(worker.take(keys, (0,)), -1)
        worker.less(keys)

    def test_race(self) -> None:
        """Processes that take all they can get never get more than the limit, however they race."""
        for _ in range(20):
            with Racers(self.table, 4) as racers:
                racers.go()
            counts = self.worker(5)
            self.assertLessEqual(counts.of(CLIENT[0]), 100)
            self.assertGreater(counts.of(CLIENT[0]), 90)
            for column in range(1, 5):
                self.table.clear(column)

    def test_killed_anywhere(self) -> None:
        """Workers that are killed in the middle of it leave a table that works."""
        for number in range(40):
            with Racers(self.table, 1, busy=True) as racers:
                racers.go()
                racers.kill(number)
            self.table.clear(1)
            other = self.worker(2)
            self.assertEqual(other.take(CLIENT, (1, 1)), -1)
            self.table.clear(2)


class Racers:
    """Processes that count in a table; each is told to begin."""

    def __init__(self, table: Table, count: int, busy: bool = False) -> None:
        self._start, self._begin = os.pipe()
        self._said, self._say = os.pipe()
        self._processes = [self._fork(table, column, busy) for column in range(count)]

    def _fork(self, table: Table, column: int, busy: bool) -> int:
        process = os.fork()
        if process:
            return process
        try:
            counts = SharedCounts(table.descriptor, column + 1)
            os.read(self._start, 1)
            if busy:
                _come_and_go(counts, self._say)
            missed = 0
            while missed < 3:
                missed += counts.take(CLIENT, (100, 0)) >= 0
        finally:
            os._exit(0)

    def go(self) -> None:
        os.write(self._begin, b"g" * len(self._processes))

    def kill(self, number: int) -> None:
        """Kill them, some time after they have begun."""
        os.read(self._said, number % 7 + 1)
        for process in self._processes:
            os.kill(process, signal.SIGKILL)

    def __enter__(self) -> Racers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            os.waitpid(process, 0)
        for descriptor in (self._start, self._begin, self._said, self._say):
            os.close(descriptor)


def _come_and_go(counts: SharedCounts, say: int) -> None:
    """Clients without number."""
    counts._most = 20
    number = 0
    while True:
        number += 1
        keys = (("client", str(number)),)
        counts.add(keys)
        counts.less(keys)
        if number % 50 == 0:
            os.write(say, b".")

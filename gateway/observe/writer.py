"""
A thread that writes lines, so that no disk and no reader ever blocks the reactor.

Lines wait in a deque, which is safe between two threads. Each of the two byte
counters is written by one thread only and read by the other, so that no lock
is taken for a line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

from gateway.observe.file import AuditError, Destination

GATHER_SECONDS = 0.05
"""The thread sleeps so long after the first line of a batch: waking up costs more than a line."""

BATCH_BYTES = 262144

SHORTEST_BACK_OFF, LONGEST_BACK_OFF = 0.1, 5.0
"""Seconds before a write that failed is tried again: doubled each time."""

READER_SECONDS = 0.25
"""So long a slow reader is waited for before looking whether to stop or to open again."""


class Writer:
    """
    Writes the lines that it is given to an L{AuditFile<gateway.observe.file.AuditFile>}.

    C{failed}, C{recovered}, C{reopened} and C{relieved} are called in the writer's
    thread: when writing begins to fail, when it succeeds again, when the file
    was opened again (or why not), and after each batch while C{pressed} is set.

    @ivar hurry_at: bytes that wait, beyond which none is gathered any more.
    """

    def __init__(
        self,
        file: Destination,
        hurry_at: int,
        *,
        failed: Callable[[OSError], object],
        recovered: Callable[[], object],
        reopened: Callable[[AuditError | None], object],
        relieved: Callable[[], object],
    ) -> None:
        self.pressed = False
        self.hurry_at = hurry_at
        self._file = file
        self._failed = failed
        self._recovered = recovered
        self._reopened = reopened
        self._relieved = relieved
        self._lines: deque[bytes] = deque()
        self._added = 0  # bytes; the reactor's
        self._written = 0  # bytes; the thread's
        self._batch = b""
        self._offset = 0
        self._back_off = 0.0  # 0: the last write went well
        self._asleep = True
        self._wake = Event()
        self._hurry = Event()
        self._reopen_wanted = False
        self._next: Destination | None = None
        self._stop_at: float | None = None
        self._thread: Thread | None = None

    @property
    def waiting(self) -> int:
        """Bytes that are not written yet."""
        return self._added - self._written

    def put(self, line: bytes) -> None:
        """C{line}, which ends in a newline, is to be written."""
        self._lines.append(line)
        self._added += len(line)
        if self._asleep:
            self._asleep = False
            self._wake.set()
        elif self._added - self._written > self.hurry_at and not self._back_off:
            self._hurry.set()

    def start(self) -> None:
        """Start the thread. Not before the process has forked: threads don't survive it."""
        self._thread = Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def reopen(self) -> None:
        """Go on in a new file, beginning with a whole line."""
        self._reopen_wanted = True
        self._rouse()

    def move(self, file: Destination) -> None:
        """Go on in C{file}, which is open, beginning with a whole line; what waits goes there."""
        self._next = file
        self.reopen()

    def stop(self, seconds: float) -> int:
        """
        Write what is left and close the file.

        @param seconds: give up after so long.
        @return: how many lines could not be written.
        """
        if self._thread is not None:
            self._stop_at = monotonic() + seconds
            self._rouse()
            # A write that the kernel doesn't return from ends with the process.
            self._thread.join(seconds + 2 * READER_SECONDS)
            if self._thread.is_alive():
                return self._left()
        left = self._left()
        self._file.let_go(self._torn())
        return left

    def _rouse(self) -> None:
        self._hurry.set()
        self._wake.set()

    def _run(self) -> None:
        while self._stop_at is None:
            self._wake.wait()
            self._hurry.wait(GATHER_SECONDS)
            self._turn()
        self._turn()

    def _turn(self) -> None:
        # In this order: a line that comes from here on is in this turn, or wakes the next one.
        self._wake.clear()
        self._hurry.clear()
        self._asleep = True
        self._maybe_reopen()
        while self._fill() and not self._is_over():
            self._step()
            self._maybe_reopen()

    def _is_over(self) -> bool:
        return self._stop_at is not None and monotonic() >= self._stop_at

    def _fill(self) -> bool:
        if self._offset == len(self._batch):
            self._batch, self._offset = self._gathered(), 0
        return bool(self._batch)

    def _gathered(self) -> bytes:
        lines, size = [], 0
        while self._lines and size < BATCH_BYTES:
            lines.append(self._lines.popleft())
            size += len(lines[-1])
        return b"".join(lines)

    def _step(self) -> None:
        try:
            count = self._file.write(memoryview(self._batch)[self._offset :], READER_SECONDS)
        except OSError as error:
            self._wait_after(error)
        else:
            self._offset += count
            self._written += count
            if self._offset == len(self._batch):
                self._batch_done()

    def _batch_done(self) -> None:
        if self._back_off:
            self._back_off = 0.0
            self._recovered()
        if self.pressed:
            self._relieved()

    def _wait_after(self, error: OSError) -> None:
        if not self._back_off:
            self._failed(error)
        self._back_off = min(LONGEST_BACK_OFF, max(SHORTEST_BACK_OFF, self._back_off * 2))
        self._hurry.wait(min(self._back_off, self._time_left()))
        self._hurry.clear()

    def _time_left(self) -> float:
        if self._stop_at is None:
            return LONGEST_BACK_OFF
        return max(0.0, self._stop_at - monotonic())

    def _maybe_reopen(self) -> None:
        if not self._reopen_wanted:
            return
        self._reopen_wanted = False
        file, self._next = self._next, None
        torn = self._torn()
        try:
            if file is None:
                self._file.reopen(torn)
            else:
                self._file.let_go(torn)
                self._file, self._back_off = file, 0.0
        except AuditError as error:
            self._reopened(error)
        else:
            self._offset -= torn
            self._written -= torn
            self._reopened(None)

    def _torn(self) -> int:
        """Bytes of the last line that was begun and not completed."""
        return self._offset - (self._batch.rfind(b"\n", 0, self._offset) + 1)

    def _left(self) -> int:
        lines = sum(each.count(b"\n") for each in self._lines)
        return self._batch.count(b"\n", self._offset) + lines

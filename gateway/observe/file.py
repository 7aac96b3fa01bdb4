"""Where audit lines are written to: a regular file, a pipe, a device, or standard output."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from typing import Protocol

STANDARD_OUTPUT = "-"

PIECE = 4096
"""
Bytes for one write to what is no regular file: C{PIPE_BUF} of Linux. A pipe
that select(2) calls writable takes that much without blocking.
"""

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Reading and writing: a FIFO that nobody reads opens at once and keeps what its buffer holds,
# instead of failing (ENXIO, EPIPE) until there is a reader. See fifo(7).

Owner = tuple[int, int]


class AuditError(Exception):
    """The audit file that the operator asked for can't be written. Says which, why, what to do."""


class Destination(Protocol):
    """Where records go: an L{AuditFile}, or what stands in for it."""

    path: str

    @property
    def is_open(self) -> bool:
        """Whether it can be written."""

    @property
    def is_null(self) -> bool:
        """Whether it keeps nothing."""

    def open(self, owner: Owner | None = None) -> None:
        """See L{AuditFile.open}."""

    def reopen(self, torn: int) -> None:
        """See L{AuditFile.reopen}."""

    def write(self, data: memoryview, seconds: float) -> int:
        """See L{AuditFile.write}."""

    def let_go(self, torn: int = 0) -> None:
        """See L{AuditFile.let_go}."""


class AuditFile:
    """
    An open file, of which only whole lines remain.

    A disk that runs full in the middle of a line leaves it torn. It is
    completed as soon as there is room. Where that can't be (the file is given
    up for another one), L{let_go} takes the torn part back.
    """

    def __init__(self, path: str, standard_output: int = 1) -> None:
        self.path = path
        self._standard_output = standard_output
        self._descriptor = -1
        self._regular = False
        self._owed = False

    def __str__(self) -> str:
        return "standard output" if self.path == STANDARD_OUTPUT else self.path

    @property
    def is_open(self) -> bool:
        return self._descriptor >= 0

    @property
    def is_null(self) -> bool:
        """Whether it is C{/dev/null}, as standard output is for a process in the background."""
        return os.fstat(self._descriptor).st_rdev == Path(os.devnull).stat().st_rdev

    def open(self, owner: Owner | None = None) -> None:
        """
        Open it, and make it if it is not there (mode 0640).

        @param owner: user and group ids for a file that is made here: those
            that the process will have later, when it opens the file again.
        @raise AuditError: it can't be opened.
        """
        try:
            self._take(self._opened(owner))
        except OSError as error:
            raise AuditError(_advice(self.path, error)) from error

    def reopen(self, torn: int) -> None:
        """
        Go on in whatever has the path now. The old file stays in use if that fails.

        @param torn: bytes of an incomplete line that were written to the old file.
        @raise AuditError: it can't be opened.
        """
        if self.path == STANDARD_OUTPUT:
            return
        try:
            descriptor = self._opened(None)
        except OSError as error:
            raise AuditError(_advice(self.path, error)) from error
        self.let_go(torn)
        self._take(descriptor)

    def write(self, data: memoryview, seconds: float) -> int:
        """
        Write what can be written now.

        @param seconds: how long to wait for a slow reader.
        @return: how much of C{data} was written. 0: the reader is slow.
        @raise OSError: it can't be written; the disk is full, for example.
        """
        if self._owed:
            os.write(self._descriptor, b"\n")
            self._owed = False
        if self._regular:
            return os.write(self._descriptor, data)
        return self._write_piece(data, seconds)

    def let_go(self, torn: int = 0) -> None:
        """Close it. The last C{torn} bytes, a line that was not completed, are taken back."""
        if self._descriptor < 0:
            return
        if torn:
            self._mend(torn)
        if self.path != STANDARD_OUTPUT:
            os.close(self._descriptor)
        self._descriptor = -1

    def _opened(self, owner: Owner | None) -> int:
        if self.path == STANDARD_OUTPUT:
            return self._standard_output
        try:
            descriptor = os.open(self.path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o640)
        except FileExistsError:
            return os.open(self.path, _FLAGS)
        if owner is not None:
            os.fchown(descriptor, *owner)
        return descriptor

    def _take(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        # A process that was killed on a full disk left a torn line behind.
        self._owed = self._regular and _is_torn(descriptor)

    def _write_piece(self, data: memoryview, seconds: float) -> int:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(seconds * 1000):
            return 0
        try:
            return os.write(self._descriptor, data[:PIECE])
        except BlockingIOError:
            return 0

    def _mend(self, torn: int) -> None:
        try:
            if self._regular:
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)
            elif self._write_piece(memoryview(b"\n"), 0) == 0:
                return
        except OSError:
            pass  # chattr +a, a reader that went: the torn line stays, and is the last one


def _is_torn(descriptor: int) -> bool:
    try:
        size = os.fstat(descriptor).st_size
        return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    except OSError:
        return False


def _advice(path: str, error: OSError) -> str:
    folder = Path(path).parent
    if isinstance(error, FileNotFoundError):
        hint = f"make the folder: mkdir -p {folder}"
    elif isinstance(error, IsADirectoryError):
        hint = "name a file in it"
    elif isinstance(error, PermissionError):
        hint = f"let user {os.geteuid()} write the file and its folder {folder}"
    else:
        hint = f"look at the file system of {folder}"
    return (
        f"the audit file {path} can't be opened: {error.strerror}. Either {hint}; "
        "or change 'file' in the [audit] table of gateway.toml"
    )

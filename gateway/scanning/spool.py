"""
Spools: room for bodies that are held until they are judged.

A body is in memory up to a size, and then in a file of the operator's folder that has no name: it
goes away with its descriptor, whatever becomes of the process. All spools together have a bound.

Reads and writes are the kernel's page cache's: no thread is asked for them. So the folder should
be on a local disk, or in memory (tmpfs).
"""

from __future__ import annotations

import os
from tempfile import TemporaryFile
from typing import IO

from zope.interface import implementer

from gateway.tools import ISpool, SpoolFull


class Spools:
    """
    All of a process's spools.

    @ivar folder: where files are; empty: the system's own for such.
    @ivar memory_bytes: so much may be held in memory in all; more goes to files.
    @ivar file_bytes: so much may be held in files in all.
    @ivar in_memory: bytes that are.
    @ivar in_files: likewise.
    """

    def __init__(self, folder: str, memory_bytes: int, file_bytes: int) -> None:
        self.folder = folder
        self.memory_bytes = memory_bytes
        self.file_bytes = file_bytes
        self.in_memory = 0
        self.in_files = 0

    def open(self, memory: int) -> Spool:
        """Room for a body, of which so many bytes may be in memory."""
        return Spool(self, memory)


@implementer(ISpool)
class Spool:
    """See L{ISpool}."""

    def __init__(self, spools: Spools, memory: int) -> None:
        self.size = 0
        self._spools = spools
        self._most = memory
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._closed = False

    def put(self, data: bytes) -> None:
        """See L{ISpool.put}."""
        if self._closed or not data:
            return
        if self._fits(len(data)):
            self._memory += data
            self._spools.in_memory += len(data)
        else:
            self._write(data)
        self.size += len(data)

    def _fits(self, count: int) -> bool:
        """Whether that may be in memory. What is behind something in the file may not."""
        spools = self._spools
        return (
            self._file is None
            and len(self._memory) + count <= self._most
            and spools.in_memory + count <= spools.memory_bytes
        )

    def _write(self, data: bytes) -> None:
        spools = self._spools
        if spools.in_files + len(data) > spools.file_bytes:
            raise SpoolFull(f"spooled bodies have {spools.file_bytes} bytes in all")
        try:
            if self._file is None:
                self._file = TemporaryFile(dir=spools.folder or None, buffering=0)  # noqa: SIM115
            _write_all(self._file.fileno(), data, self.size - len(self._memory))
        except OSError as error:
            raise SpoolFull(f"{spools.folder or 'the spool'}: {error.strerror}") from None
        spools.in_files += len(data)

    def read(self, at: int, most: int) -> bytes:
        """See L{ISpool.read}."""
        memory = len(self._memory)
        if at < memory:
            return bytes(self._memory[at : at + most])
        if self._file is None or at >= self.size:  # behind that, a piece that did not fit may be
            return b""
        return os.pread(self._file.fileno(), min(most, self.size - at), at - memory)

    def close(self) -> None:
        """See L{ISpool.close}."""
        if self._closed:
            return
        self._closed = True
        self._spools.in_memory -= len(self._memory)
        self._spools.in_files -= self.size - len(self._memory)
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view = view[written:]
        at += written

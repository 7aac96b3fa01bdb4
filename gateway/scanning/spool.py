"""
Spools: room for bodies that are held until they are judged.

A body is in memory up to a size, and then in a file of the operator's folder that has no name: it
goes away with its descriptor, whatever becomes of the process. All spools together have a bound.

Reads and writes are the kernel's page cache's: no thread is asked for them. So the folder should
be on a local disk, or in memory (tmpfs).
"""

from __future__ import annotations

import os
from ipaddress import ip_network
from tempfile import TemporaryFile
from typing import IO

from zope.interface import implementer

from gateway.counts import Counts, Key, OwnCounts
from gateway.tools import ISpool, SpoolFull

MEMORY: tuple[Key] = (("spool", "memory"),)
FILES: tuple[Key] = (("spool", "files"),)


class Spools:
    """
    All of a process's spools. Their bounds are for all workers together.

    @ivar folder: where files are; empty: the system's own for such.
    @ivar memory_bytes: so much may be held in memory in all; more goes to files.
    @ivar file_bytes: so much may be held in files in all.
    @ivar client_bytes: so much may be held of one client.
    @ivar in_memory: bytes that this process has there.
    @ivar in_files: likewise.
    """

    def __init__(
        self,
        folder: str,
        memory_bytes: int,
        file_bytes: int,
        client_bytes: int = 1 << 62,
        counts: Counts | None = None,
    ) -> None:
        self.folder = folder
        self.memory_bytes = memory_bytes
        self.file_bytes = file_bytes
        self.client_bytes = client_bytes
        self.in_memory = 0
        self.in_files = 0
        self._counts = counts or OwnCounts()

    def take_memory(self, count: int) -> bool:
        """So many more bytes in memory, if there is room for them."""
        if count > self.memory_bytes or self._counts.take(MEMORY, (self.memory_bytes,), count) >= 0:
            return False
        self.in_memory += count
        return True

    def take_file(self, count: int) -> bool:
        """So many more bytes in files, if there is room for them."""
        if count > self.file_bytes or self._counts.take(FILES, (self.file_bytes,), count) >= 0:
            return False
        self.in_files += count
        return True

    def take_share(self, client: str, count: int) -> None:
        """
        So many more bytes of a client's.

        @raise SpoolFull: it has as many as it may have.
        """
        if (
            count > self.client_bytes
            or self._counts.take(_of(client), (self.client_bytes,), count) >= 0
        ):
            raise SpoolFull(f"spooled bodies of {client} have {self.client_bytes} bytes in all")

    def give_share_back(self, client: str, count: int) -> None:
        """So many fewer."""
        self._counts.less(_of(client), count)

    def give_back(self, in_memory: int, in_files: int) -> None:
        """So many bytes are not held any more."""
        self.in_memory -= in_memory
        self.in_files -= in_files
        self._counts.less(MEMORY, in_memory)
        self._counts.less(FILES, in_files)

    def open(self, memory: int, client: str = "") -> Spool:
        """
        Room for a body, of which so many bytes may be in memory.

        @param client: whose it is: an IP address, or nobody's.
        """
        return Spool(self, memory, share_of(client))


def _of(client: str) -> tuple[Key]:
    return (("spool", "client", client),)


@implementer(ISpool)
class Spool:
    """See L{ISpool}."""

    def __init__(self, spools: Spools, memory: int, client: str) -> None:
        self.size = 0
        self._client = client
        self._spools = spools
        self._most = memory
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._closed = False

    def put(self, data: bytes) -> None:
        """See L{ISpool.put}."""
        if self._closed or not data:
            return
        self._spools.take_share(self._client, len(data))
        try:
            self._hold(data)
        except SpoolFull:
            self._spools.give_share_back(self._client, len(data))
            raise
        self.size += len(data)

    def _hold(self, data: bytes) -> None:
        if self._fits(len(data)):
            self._memory += data
        else:
            self._write(data)

    def _fits(self, count: int) -> bool:
        """Whether that is in memory. What is behind something in the file may not be."""
        return (
            self._file is None
            and len(self._memory) + count <= self._most
            and self._spools.take_memory(count)
        )

    def _write(self, data: bytes) -> None:
        spools = self._spools
        if not spools.take_file(len(data)):
            raise SpoolFull(f"spooled bodies have {spools.file_bytes} bytes in all")
        try:
            if self._file is None:
                self._file = TemporaryFile(dir=spools.folder or None, buffering=0)  # noqa: SIM115
            _write_all(self._file.fileno(), data, self.size - len(self._memory))
        except OSError as error:
            spools.give_back(0, len(data))
            raise SpoolFull(f"{spools.folder or 'the spool'}: {error.strerror}") from None

    def read(self, at: int, most: int) -> bytes:
        """See L{ISpool.read}."""
        memory = len(self._memory)
        if at < memory:
            return bytes(memoryview(self._memory)[at : at + most])
        if self._file is None or at >= self.size:  # behind that, a piece that did not fit may be
            return b""
        return os.pread(self._file.fileno(), min(most, self.size - at), at - memory)

    def close(self) -> None:
        """See L{ISpool.close}."""
        if self._closed:
            return
        self._closed = True
        self._spools.give_share_back(self._client, self.size)
        self._spools.give_back(len(self._memory), self.size - len(self._memory))
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None


def share_of(client: str) -> str:
    """Who shares room: an address; of IPv6, all of the network that one subscriber has."""
    if ":" not in client:
        return client
    return str(ip_network((client.partition("%")[0], 64), strict=False))


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view = view[written:]
        at += written

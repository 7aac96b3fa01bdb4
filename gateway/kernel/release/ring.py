"""A ring buffer of the kernel, read (C{Documentation/bpf/ringbuf.rst})."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from struct import Struct

_POSITION = Struct("=Q")
_HEADER = Struct("=II")
_BUSY = 1 << 31
_DISCARD = 1 << 30


class Ring:
    """
    What the program tells, in its order.

    @param descriptor: of the map. It is readable when there is something.
    @param size: bytes of the ring.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        page = mmap.PAGESIZE
        self.descriptor = descriptor
        self._size = size
        self._consumer = mmap.mmap(descriptor, page)
        # the data is there twice, so that what goes over the end can be read in one piece
        self._producer = mmap.mmap(descriptor, page + 2 * size, prot=mmap.PROT_READ, offset=page)

    def read(self) -> Iterator[bytes]:
        """All that has been told since the last time."""
        (at,) = _POSITION.unpack_from(self._consumer)
        while at < _POSITION.unpack_from(self._producer)[0]:
            begin = mmap.PAGESIZE + at % self._size
            head, _ = _HEADER.unpack_from(self._producer, begin)
            if head & _BUSY:
                return
            length = head & ~(_BUSY | _DISCARD)
            data = self._producer[begin + _HEADER.size : begin + _HEADER.size + length]
            at += (_HEADER.size + length + 7) // 8 * 8
            _POSITION.pack_into(self._consumer, 0, at)
            if not head & _DISCARD:
                yield data

    def close(self) -> None:
        """Unmap it. The descriptor is its owner's."""
        self._consumer.close()
        self._producer.close()

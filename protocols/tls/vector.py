"""Vector: bytes in TLS's presentation language (RFC 8446, section 3), read from front to back."""

from __future__ import annotations

from struct import unpack

from protocols.tls.refusal import Refusal


class Vector:
    """
    What is left of a structure while it is read.

    @param what: its name in the RFC, for reasons.
    """

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """
        The next C{count} bytes.

        @raise Refusal: there are not so many.
        """
        begin, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise self._short()
        return self._data[begin : self._at]

    def number(self, size: int) -> int:
        """
        The next number, of C{size} bytes.

        @raise Refusal: there are not so many.
        """
        begin, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise self._short()
        return int.from_bytes(self._data[begin : self._at], "big")

    def opaque(self, size: int, least: int = 0, most: int = 0xFFFFFF) -> bytes:
        """
        The next vector: its length, as a number of C{size} bytes, and its content.

        @param least: bytes of content, at least.
        @param most: at most.
        @raise Refusal: it is shorter or longer, or ends too early.
        """
        data, begin = self._data, self._at + size
        length = int.from_bytes(data[self._at : begin], "big")
        end = self._at = begin + length
        if begin > len(data):
            raise self._short()
        if not least <= length <= most:
            raise Refusal(f"{self._what} has a field of {length} bytes; {least} to {most} may be")
        if end > len(data):
            raise self._short()
        return data[begin:end]

    def vector(self, size: int, what: str, least: int = 0, most: int = 0xFFFFFF) -> Vector:
        """The next vector, to be read in its turn; see L{opaque}."""
        return Vector(self.opaque(size, least, most), what)

    def numbers(self, size: int, what: str, least: int = 2) -> tuple[int, ...]:
        """
        The next vector, of 16-bit numbers.

        @raise Refusal: it has fewer than C{least} bytes, or an odd number of them.
        """
        content = self.opaque(size, least)
        if len(content) % 2:
            raise Refusal(f"{what} has an odd number of bytes")
        return unpack(f">{len(content) // 2}H", content)

    def end(self) -> None:
        """
        Nothing must be left.

        @raise Refusal: something is: it would mean something to somebody else.
        """
        if self.more:
            raise Refusal(f"{self._what} is longer than what is in it")

    def _short(self) -> Refusal:
        return Refusal(f"{self._what} ends too early")

"""Numbers of variable length (RFC 9000, section 16)."""

from __future__ import annotations

from protocols.tls.refusal import Refusal


class Octets:
    """
    Bytes of a packet, read from front to back.

    @param what: what they are, for reasons.
    """

    __slots__ = ("at", "data", "what")

    def __init__(self, data: bytes, what: str, at: int = 0) -> None:
        self.data = data
        self.what = what
        self.at = at

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self.at < len(self.data)

    def take(self, count: int) -> bytes:
        """
        The next C{count} bytes.

        @raise Refusal: there are not so many.
        """
        begin, self.at = self.at, self.at + count
        if self.at > len(self.data):
            raise Refusal(f"{self.what} ends too early")
        return self.data[begin : self.at]

    def fixed(self, size: int) -> int:
        """The next number, of C{size} bytes."""
        return int.from_bytes(self.take(size), "big")

    def number(self) -> int:
        """The next number, of the length that its first two bits say."""
        first = self.fixed(1)
        rest = self.take((1 << (first >> 6)) - 1)
        return int.from_bytes(bytes((first & 0x3F,)) + rest, "big")

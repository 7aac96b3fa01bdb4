"""The pieces of a handshake, in their order again (RFC 9000, section 19.6)."""

from __future__ import annotations

from protocols.tls.refusal import Refusal


class Stream:
    """
    Bytes that come in pieces, in any order, some of them twice.

    @param most: bytes that may be kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = bytearray()
        self._known = bytearray()
        """For each byte, whether it has come."""

    def put(self, offset: int, data: bytes) -> None:
        """
        A piece has come.

        @raise Refusal: it lies beyond what may be kept, or says something else than
            what came before in the same place: which of the two the server would
            read is its secret.
        """
        end = offset + len(data)
        if end > self._most:
            raise Refusal(f"a QUIC handshake of {end} bytes; {self._most} are allowed")
        self._grow(end)
        for place, known in enumerate(self._known[offset:end]):
            if known and self._bytes[offset + place] != data[place]:
                raise Refusal("a QUIC handshake that says two things in one place")
        self._bytes[offset:end] = data
        self._known[offset:end] = b"\1" * len(data)

    @property
    def beginning(self) -> bytes:
        """All that is there without a gap."""
        gap = self._known.find(b"\0")
        return bytes(self._bytes if gap < 0 else self._bytes[:gap])

    def _grow(self, end: int) -> None:
        more = b"\0" * (end - len(self._bytes))
        self._bytes += more
        self._known += more

"""
Packets before encryption (RFC 4253, section 6), and the data in them (RFC 4251, section 5).
"""

from __future__ import annotations

from attrs import frozen

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.ssh.numbers import Reason

_LENGTH = 4
_BLOCK = 8
_LEAST_PADDING = 4


@frozen
class Packet:
    """
    One packet.

    @ivar raw: all of it, as it came and as it is passed on.
    """

    raw: bytes
    payload: bytes

    @property
    def message(self) -> int:
        """What it is."""
        return self.payload[0]


async def read_packet(read: Reader, limit: int) -> Packet:
    """
    The next packet.

    @param limit: bytes of it, without its length.
    @raise Denied: it is none.
    """
    head = await read.exactly(_LENGTH, _LENGTH)
    length = int.from_bytes(head, "big")
    # at least a payload of one byte, and whole blocks
    if length < _LEAST_PADDING + 2 or (length + _LENGTH) % _BLOCK:
        raise Denied(f"the {read.side.value} sent no SSH packet: {length} bytes")
    body = await read.exactly(length, limit)
    padding = body[0]
    if not _LEAST_PADDING <= padding < length - 1:
        raise Denied(f"the {read.side.value} sent an SSH packet with {padding} bytes of padding")
    return Packet(head + body, body[1 : length - padding])


def disconnect(reason: Reason, text: str) -> bytes:
    """The packet that says why it is over (section 11.1)."""
    said = text.encode("ascii", "replace")
    return packed(bytes((1,)) + reason.to_bytes(4, "big") + string(said) + string(b""))


def packed(payload: bytes) -> bytes:
    """A packet with as little padding as there may be."""
    padding = _BLOCK - (_LENGTH + 1 + len(payload)) % _BLOCK
    if padding < _LEAST_PADDING:
        padding += _BLOCK
    length = 1 + len(payload) + padding
    return length.to_bytes(_LENGTH, "big") + bytes((padding,)) + payload + bytes(padding)


def string(data: bytes) -> bytes:
    """A string, with its length."""
    return len(data).to_bytes(_LENGTH, "big") + data


class Fields:
    """
    What is in a packet, read from front to back.

    @param what: its name, for reasons.
    """

    def __init__(self, payload: bytes, what: str) -> None:
        self._payload = payload
        self._what = what
        self._at = 0

    def take(self, count: int) -> bytes:
        """
        The next C{count} bytes.

        @raise Denied: there are not so many.
        """
        begin, self._at = self._at, self._at + count
        if self._at > len(self._payload):
            raise Denied(f"{self._what} ends too early")
        return self._payload[begin : self._at]

    def string(self) -> bytes:
        """The next string."""
        return self.take(int.from_bytes(self.take(_LENGTH), "big"))

    def names(self) -> tuple[str, ...]:
        """
        The next list of names (RFC 4251, section 6).

        @raise Denied: they are none.
        """
        text = self.string().decode("latin-1")
        if not text:
            return ()
        names = tuple(text.split(","))
        for name in names:
            if not 0 < len(name) <= 64 or not all("!" <= letter <= "~" for letter in name):
                raise Denied(f"{self._what} has a name like {name[:70]!r}")
        return names

    def end(self) -> None:
        """@raise Denied: something is left."""
        if self._at != len(self._payload):
            raise Denied(f"{self._what} is longer than what is in it")

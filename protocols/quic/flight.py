"""
A client's first flight: its Initial packets, until the hello is whole.

A hello has two datagrams today, for keys that withstand quantum computers are
long; browsers cut it in pieces and shuffle them. Whoever looks at the first
packet only sees half a name.
"""

from __future__ import annotations

from attrs import frozen

from protocols.quic.frame import crypto_frames
from protocols.quic.keys import Keys
from protocols.quic.packet import Packet, Version
from protocols.quic.stream import Stream
from protocols.tls.hello import ClientHello
from protocols.tls.numbers import Alert, HandshakeType
from protocols.tls.refusal import Refusal

_HEADER = 4
"""Bytes of a handshake message's header."""


@frozen
class Limits:
    """
    How large a first flight may be.

    @ivar handshake: bytes of the hello. After a HelloRetryRequest there are two.
    @ivar packets: that hold no whole hello yet.
    """

    handshake: int = 16384
    packets: int = 16


class Flight:
    """
    The first packets of one connection.

    @param first: its first packet; the keys of all come from it.
    @ivar first: that packet.
    @ivar hello: what the client said, as soon as it is whole.
    """

    def __init__(self, first: Packet, limits: Limits) -> None:
        self.first = first
        self.hello: ClientHello | None = None
        self._keys: dict[int, Keys] = {}
        self._stream = Stream(limits.handshake)
        self._patience = limits.packets
        self._largest = -1
        self._read = 0

    def takes(self, packet: Packet) -> bool:
        """
        A client's Initial packet has come.

        @return: whether it is one of this flight.
        @raise Refusal: it is, and the connection is not to be.
        """
        opened = self._keys_of(packet.version).open(packet, self._largest)
        if opened is None:
            return False
        self._largest = max(self._largest, opened.number)
        for piece in crypto_frames(opened.payload):
            self._stream.put(piece.offset, piece.data)
        self._look()
        if self.hello is None:
            self._wait()
        return True

    def _keys_of(self, version: Version) -> Keys:
        """A server may go on in another version, with keys of the same origin (RFC 9369, 4.1)."""
        keys = self._keys.get(version.number)
        if keys is None:
            keys = Keys.of_client(version, self.first.destination)
            self._keys[version.number] = keys
        return keys

    def _wait(self) -> None:
        self._patience -= 1
        if self._patience <= 0:
            raise Refusal("a QUIC handshake in too many packets")

    def _look(self) -> None:
        """Read what is whole: a hello, and perhaps a second one after a HelloRetryRequest."""
        said = self._stream.beginning
        while (end := self._end(said)) is not None and end <= len(said):
            hello = ClientHello.parse(said[self._read + _HEADER : end])
            if self.hello is not None and hello.server_name != self.hello.server_name:
                raise Refusal("a second ClientHello for another name", Alert.ILLEGAL_PARAMETER)
            self.hello = hello
            self._read = end

    def _end(self, said: bytes) -> int | None:
        """Where the next message ends; C{None} if that is not known yet."""
        header = said[self._read : self._read + _HEADER]
        if header and header[0] != HandshakeType.CLIENT_HELLO:
            raise Refusal(
                f"handshake message {header[0]} in place of a ClientHello",
                Alert.UNEXPECTED_MESSAGE,
            )
        if len(header) < _HEADER:
            return None
        return self._read + _HEADER + int.from_bytes(header[1:], "big")

"""
Relay: one direction of a released session in user space, from a wire to the other side's.

Bytes are sent on without a new object for them. While there is much to carry, they are looked at
in large pieces, and taken from the kernel only when the other side's kernel has them: what a slow
receiver doesn't take waits there, not here.
"""

from __future__ import annotations

import socket

from gateway.kernel.sockets import Socket
from gateway.wire.wire import READ_SIZE, Wire

RELAY_SIZE = 262144
"""
Bytes that are looked at and sent on at once, at most. Four times as much as 64 KiB halves the CPU
time for each GiB; twice that gains nothing more.
"""

# What is read is on its way before anybody else reads: one for all.
_buffer = bytearray(RELAY_SIZE)
_view = memoryview(_buffer)


def join(one: Wire, other: Wire) -> None:
    """What each of the two reads is sent on by the other one, until it is detached or closed."""
    one.relay = Relay(other)
    other.relay = Relay(one)


class Relay:
    """
    @param onward: the wire that what is read is sent by.
    """

    __slots__ = ("_much", "_onward")

    def __init__(self, onward: Wire) -> None:
        self._onward = onward
        self._much = False

    def carry(self, wire: Wire, sock: Socket) -> bool:
        """See L{gateway.wire.wire.Onward}."""
        if self._much:
            return self._look(wire, sock)
        size = sock.recv_into(_buffer, READ_SIZE)
        wire.received += size
        self._much = size == READ_SIZE
        if size:
            self._onward.send_on(_view[:size])
        return not size

    def _look(self, wire: Wire, sock: Socket) -> bool:
        """Look at much, send it on, and take from the kernel what was sent."""
        size = sock.recv_into(_buffer, RELAY_SIZE, socket.MSG_PEEK)
        self._much = size >= READ_SIZE
        sent = self._onward.offer(_view[:size]) if size else 0
        if sent > 0:
            wire.received += sent
            sock.recv_into(_buffer, sent, socket.MSG_TRUNC)  # for TCP: discard, see tcp(7)
        return not size

"""
TCP_REPAIR: the numbers of a connection, and a socket that vanishes without a word.

The second place that calls setsockopt, beside L{gateway.kernel.sockets}: what is here needs
CAP_NET_ADMIN, so it is called in privileged processes only. While a socket is in
repair mode nobody else may use it: sending and receiving fail.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from attrs import frozen

from gateway.kernel.sockets import Socket

TCP_REPAIR = 19
TCP_REPAIR_QUEUE = 20
TCP_QUEUE_SEQ = 21
TCP_TIMESTAMP = 24

_ON = 1
_OFF = 0
"""Back to normal, and ask the peer for its window."""

_OFF_NO_PROBE = -1
"""Back to normal, without a word."""

_NO_QUEUE, _RECEIVE_QUEUE, _SEND_QUEUE = range(3)

_MASK = 0xFFFFFFFF
_TRIES = 20
"""Data may come while the numbers are read; then they are read again."""


class Unsteady(Exception):
    """The numbers did not hold still."""


@frozen
class Numbers:
    """
    Where a connection stands. Modulo 2^32.

    @ivar sent: the number of the next byte that this end writes.
    @ivar acknowledged: the number of the first byte that its peer has not acknowledged.
    @ivar received: the number of the next byte that it expects.
    @ivar unread: how many bytes before that nobody has read.
    """

    sent: int
    acknowledged: int
    received: int
    unread: int


def numbers(sock: Socket) -> Numbers:
    """
    The numbers of a connection.

    @raise Unsteady: data comes faster than they can be read.
    @raise OSError: privileges are missing, or the connection is over.
    """
    for _ in range(_TRIES):
        unread, open_ = _count(sock, termios.FIONREAD), _count(sock, termios.TIOCOUTQ)
        with repairing(sock, probe=False):
            received = _number_of(sock, _RECEIVE_QUEUE)
            sent = _number_of(sock, _SEND_QUEUE)
        if (unread, open_) == (_count(sock, termios.FIONREAD), _count(sock, termios.TIOCOUTQ)):
            return Numbers(sent, (sent - open_) & _MASK, received, unread)
    raise Unsteady


def probe(sock: Socket) -> None:
    """
    Have the kernel send the peer a packet at once, which it has to answer with its window.

    @raise OSError: privileges are missing, or the connection is over.
    """
    with repairing(sock, probe=True):
        pass


def vanish(sock: Socket) -> None:
    """
    Let the next close, of whoever closes it last, send nothing. Harmless if the
    connection is over.
    """
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, _ON)


def clock(sock: Socket) -> int:
    """The value of the timestamp that it would send now; milliseconds."""
    return sock.getsockopt(socket.IPPROTO_TCP, TCP_TIMESTAMP) & _MASK


@contextmanager
def repairing(sock: Socket, probe: bool) -> Iterator[None]:
    """For a moment, C{sock} is in repair mode."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, _ON)
    try:
        yield
    finally:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, _OFF if probe else _OFF_NO_PROBE)
        # which repair mode has changed
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _number_of(sock: Socket, queue: int) -> int:
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & _MASK
    finally:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, _NO_QUEUE)


def _count(sock: Socket, what: int) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), what, bytes(4)))
    return int(count)

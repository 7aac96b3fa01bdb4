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
from contextlib import suppress

from attrs import frozen

from gateway.interfaces import Address
from gateway.kernel.sockets import Socket

TCP_REPAIR = 19
TCP_REPAIR_QUEUE = 20
TCP_QUEUE_SEQ = 21
TCP_REPAIR_OPTIONS = 22
TCP_TIMESTAMP = 24
TCP_REPAIR_WINDOW = 29

_MAXSEG = range(88, 32768)
"""What TCP_MAXSEG may be."""

_MSS, _SCALE, _SACK, _STAMPS = 2, 3, 4, 8
"""Options by their numbers in a TCP header."""

_ON = 1
_OFF = 0
"""Back to normal, and ask the peer for its window."""

_OFF_NO_PROBE = -1
"""Back to normal, without a word."""

_RECEIVE_QUEUE, _SEND_QUEUE = 1, 2

_MASK = 0xFFFFFFFF


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
    The numbers of a connection. They are read one after the other: nobody else may use the
    socket, and what comes meanwhile is for the caller to see in the socket's counters.

    @raise OSError: privileges are missing, or the connection is over.
    """
    unread, open_ = _count(sock, termios.FIONREAD), _count(sock, termios.TIOCOUTQ)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, _ON)
    try:
        received = _number_of(sock, _RECEIVE_QUEUE)
        sent = _number_of(sock, _SEND_QUEUE)
    finally:
        _leave(sock, _OFF_NO_PROBE)
    return Numbers(sent, (sent - open_) & _MASK, received, unread)


@frozen
class Middle:
    """
    Where a connection stands that a socket is put into, while nothing is on its way.

    @ivar sent: the number of the next byte that the socket writes.
    @ivar received: the number of the next byte that its peer writes.
    @ivar mss: what the peer can receive.
    @ivar scales: of the windows of the peer and of the socket; C{None}: they are not scaled.
    @ivar stamp: the timestamp that the socket goes on with; C{None}: there are none.
    @ivar windows: the peer's, in bytes, and the one that the socket's peer has been told.
    """

    sent: int
    received: int
    mss: int
    scales: tuple[int, int] | None
    sack: bool
    stamp: int | None
    windows: tuple[int, int]


def put_between(sock: Socket, local: Address, peer: Address, middle: Middle) -> None:
    """
    Put C{sock}, which is new, into a connection.

    @raise OSError: privileges are missing, or there is a socket already.
    """
    tcp = socket.IPPROTO_TCP
    sock.setsockopt(tcp, TCP_REPAIR, _ON)
    for queue, number in ((_SEND_QUEUE, middle.sent), (_RECEIVE_QUEUE, middle.received)):
        sock.setsockopt(tcp, TCP_REPAIR_QUEUE, queue)
        sock.setsockopt(tcp, TCP_QUEUE_SEQ, _signed(number))
    if middle.mss in _MAXSEG:
        # the size of segments is computed when it connects, and not again for the option
        sock.setsockopt(tcp, socket.TCP_MAXSEG, middle.mss)
    sock.bind(local)
    sock.connect(peer)
    sock.setsockopt(tcp, TCP_REPAIR_OPTIONS, b"".join(_options(middle)))
    if middle.stamp is not None:
        # since Linux 6.7 an odd one means microseconds, in which time runs a thousand times faster
        even = middle.stamp + (middle.stamp & 1) & _MASK
        sock.setsockopt(tcp, TCP_TIMESTAMP, _signed(even))
    theirs, ours = middle.windows
    window = struct.pack("=5I", middle.received, theirs, max(theirs, 1), ours, middle.received)
    sock.setsockopt(tcp, TCP_REPAIR_WINDOW, window)
    sock.setsockopt(tcp, TCP_REPAIR, _OFF_NO_PROBE)


def _options(middle: Middle) -> Iterator[bytes]:
    """As struct tcp_repair_opt has them."""
    yield struct.pack("=II", _MSS, middle.mss)
    if middle.scales is not None:
        theirs, ours = middle.scales
        yield struct.pack("=II", _SCALE, theirs | ours << 16)
    if middle.sack:
        yield struct.pack("=II", _SACK, 0)
    if middle.stamp is not None:
        yield struct.pack("=II", _STAMPS, 0)


def _signed(number: int) -> int:
    """As C{setsockopt} takes it."""
    return number - (1 << 32) if number >> 31 else number


def probe(sock: Socket) -> None:
    """
    Have the kernel send the peer a packet at once, which it has to answer with its window.

    @raise OSError: privileges are missing, or the connection is over.
    """
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, _ON)
    _leave(sock, _OFF)


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


def _leave(sock: Socket, how: int) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, how)
    # which repair mode has changed
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _number_of(sock: Socket, queue: int) -> int:
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
    # which is forgotten when the socket enters repair mode again
    return sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & _MASK


def _count(sock: Socket, what: int) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), what, bytes(4)))
    return int(count)

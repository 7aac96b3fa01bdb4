"""
A Wire is one side of a session: a connected, non-blocking socket.

All reading and writing of stream sockets happens here, in L{gateway.wire.outbox} and in
L{gateway.wire.relay}. Twisted's own TCP transport is not used, for three reasons: it
writes at the next turn of the reactor and asks the kernel twice for that, where an
immediate send nearly always succeeds; it can't pass a reset on; and it gives every read as a
new bytes object, where a released session can do with one buffer for the process.
"""

from __future__ import annotations

import errno
import socket
from typing import Protocol

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from gateway.interfaces import Side
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.wire.outbox import Outbox
from gateway.wire.owner import NOBODY, WireOwner
from gateway.wire.poller import Poller

READ_SIZE = 65536
"""Bytes that are read at once for an inspector, at most."""


class Onward(Protocol):
    """Where a released session's bytes go, in place of the owner."""

    def carry(self, wire: Wire, sock: Socket) -> bool:
        """
        Read once and send on.

        @param sock: of C{wire}, which counts what has left its kernel.
        @return: whether that was the end.
        @raise OSError: as the kernel says of C{sock}.
        """


class Now(Protocol):
    """A clock that costs nothing to read."""

    now: float


class Wire:
    """
    One side of a session.

    C{waiting} bytes could not be sent yet: for an inspected session as much as
    it sends, for a released one at most L{READ_SIZE}. C{ended} says that the peer will
    send no more, C{finished} that our own end has left. C{received} and
    C{sent} count bytes. While C{relay} is there, what is read is its business, not the owner's.

    It has some methods more than others, as it is the poller's (C{fd}, C{doRead},
    C{doWrite}, C{connectionLost}), its owner's and a relay's.

    @ivar fd: its descriptor; -1 when closed.
    """

    __slots__ = (
        "__weakref__",
        "_deaf",
        "_ending",
        "_outbox",
        "_poller",
        "_reading",
        "_socket",
        "_ticker",
        "ended",
        "fd",
        "finished",
        "owner",
        "received",
        "relay",
        "sent",
        "side",
    )

    def __init__(
        self,
        poller: Poller,
        ticker: Now,
        sock: Socket,
        side: Side,
        owner: WireOwner,
    ) -> None:
        self._poller = poller
        self._ticker = ticker
        self._socket: Socket | None = sock
        self.fd = sock.fileno()
        self._outbox: Outbox | None = None
        self._deaf: OSError | None = None
        self._ending = False
        self._reading = False
        self.side = side
        self.owner = owner
        self.relay: Onward | None = None
        self.ended = False
        self.finished = False
        self.received = 0
        self.sent = 0

    @property
    def closed(self) -> bool:
        """Whether the socket is gone."""
        return self._socket is None

    @property
    def socket(self) -> Socket:
        """The socket, as long as it is there."""
        assert self._socket is not None
        return self._socket

    @property
    def waiting(self) -> int:
        """Bytes that could not be sent yet."""
        return 0 if self._outbox is None else self._outbox.size

    @property
    def whole(self) -> bool:
        """Whether both ends are open."""
        return not (self.closed or self.ended or self._ending or self._deaf)

    @property
    def ending(self) -> bool:
        """Whether our end has left, or is to leave as soon as all else has."""
        return self._ending

    def detach(self) -> None:
        """Tell the owner again what is read, instead of sending it on."""
        self.relay = None

    # From the peer

    def read(self) -> None:
        """Read from now on."""
        self._reading = True
        if self._socket is not None and not self.ended:
            self._poller.add_reader(self)

    def pause(self) -> None:
        """Do not read until L{read}."""
        self._reading = False
        if self._socket is not None and not self.ended:
            self._poller.remove_reader(self)

    def doRead(self) -> None:
        """The poller: there is something to read."""
        sock = self._socket
        if sock is None:
            return
        owner, relay = self.owner, self.relay
        owner.active = self._ticker.now
        data = b""
        try:
            if relay is not None:
                ended = relay.carry(self, sock)
            else:
                data = sock.recv(READ_SIZE)
                ended = not data
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        if ended:
            self._end_received()
        elif data:
            self.received += len(data)
            owner.wire_received(self.side, data)

    def _end_received(self) -> None:
        if self._deaf is not None:  # that was what it had said before it was lost
            self._lost(self._deaf)
            return
        self.ended = True
        self.owner.wire_ended(self.side)
        if self._socket is not None:  # else that was all
            self._poller.end_reader(self)

    # Towards the peer

    def send(self, data: bytes) -> int:
        """
        Send C{data} now, as far as the kernel takes it, and the rest later.

        @return: how many bytes wait now.
        """
        sock = self._socket
        if sock is None or self._ending or self._deaf is not None or not data:
            return self.waiting
        if self._outbox is not None:
            self._outbox.keep(data)
            return self._outbox.size
        sent = self._send_now(sock, data)
        if 0 <= sent < len(data):
            self._keep(memoryview(data)[sent:] if sent else data)
            return len(data) - sent
        return 0

    def urge(self, data: bytes) -> None:
        """Like L{send}, with the last byte as TCP's urgent data, unless something waits already."""
        sock = self._socket
        if sock is None or self._ending or self._deaf is not None or self._outbox:
            self.send(data)
            return
        sent = self._send_now(sock, data, socket.MSG_OOB)
        if 0 <= sent < len(data):
            self._keep(data[sent:])

    def send_on(self, view: memoryview) -> None:
        """Send what is in a relay's buffer; what the kernel doesn't take is copied."""
        sock = self._socket
        if sock is None or self._ending or self._deaf is not None:
            return
        sent = 0 if self._outbox is not None else self._send_now(sock, view)
        if 0 <= sent < len(view):
            self._keep(bytes(view[sent:]))
            self.owner.wire_full(self.side)

    def offer(self, view: memoryview) -> int:
        """
        Send what the kernel takes now of what is in a relay's buffer.

        @return: how much that was, -1 if the peer is lost. If it was not all, the owner is told
            when the kernel takes more.
        """
        sock = self._socket
        if sock is None or self._ending or self._deaf is not None:
            return len(view)
        sent = 0 if self._outbox is not None else self._send_now(sock, view)
        if 0 <= sent < len(view):
            self._poller.add_writer(self)
            self.owner.wire_full(self.side)
        return sent

    def _send_now(self, sock: Socket, data: bytes | memoryview, flags: int = 0) -> int:
        """How much the kernel took; -1 if the peer is lost."""
        try:
            sent = sock.send(data, flags)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._unheard(error)
            return -1
        self.sent += sent
        return sent

    def _keep(self, data: bytes | memoryview) -> None:
        if self._outbox is None:
            self._outbox = Outbox()
            self._poller.add_writer(self)
        self._outbox.keep(data)

    def doWrite(self) -> None:
        """The poller: the kernel takes bytes again."""
        if self._socket is None:
            return
        self.owner.active = self._ticker.now
        outbox = self._outbox
        if outbox is not None:
            try:
                self.sent += outbox.send(self._socket)
            except BlockingIOError:
                return
            except OSError as error:
                self._outbox = None
                self._unheard(error)
                return
            if outbox.size:
                return
            self._outbox = None
        self._poller.remove_writer(self)
        self._drained()

    def end(self) -> None:
        """Half-close, once everything sent has left."""
        if self._ending or self._socket is None:
            return
        self._ending = True
        if self._outbox is None:
            self._drained()

    def _drained(self) -> None:
        if not self._ending or self.finished:
            self.owner.wire_drained(self.side)
            return
        self.finished = True
        self.owner.wire_drained(self.side)
        if self._socket is not None:  # else that was all, and closing it has said so
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._unheard(error)

    # The end

    def close(self) -> None:
        """Close in an orderly way. What waits is lost."""
        sock = self._leave()
        if sock is not None:
            sockets.close(sock)

    def reset(self) -> None:
        """Close with a reset."""
        sock = self._leave()
        if sock is not None:
            sockets.reset(sock)

    def _leave(self) -> Socket | None:
        sock, self._socket = self._socket, None
        if sock is not None:
            self._poller.closing(self.fd)
            self._outbox = None
            self.relay = None
            self.owner = NOBODY
            self.fd = -1
        return sock

    def _unheard(self, error: OSError) -> None:
        """
        The peer takes no more. What it said before comes first: it may be why, such as an
        answer to a request that it did not want to read to its end.
        """
        if self._reading and not self.ended and self._has_said():
            # A new one: the frames that the old one has, and its context's, know this wire.
            self._deaf = self._deaf or OSError(error.errno, error.strerror)
            self._poller.remove_writer(self)
        else:
            self._lost(error)

    def _has_said(self) -> bool:
        """Whether there is something to read."""
        assert self._socket is not None
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _lost(self, error: OSError) -> None:
        """The connection is no more. The owner will have the socket closed."""
        self._poller.forget(self.fd)
        self.owner.wire_lost(self.side, error)

    # What else the poller wants

    def connectionLost(self, reason: Failure) -> None:
        """
        The poller saw an error or a hang-up, or a bug in what it told us, and took us off.

        A hang-up may be no more than that both ends have been said, see tcp(7): then what the
        peer sent before is still to be read, as soon as somebody wants it. Or it may mean an
        earlier owner of the same descriptor number: then we go on.
        """
        sock = self._socket
        if sock is None:
            return
        if not isinstance(reason.value, ConnectionLost):
            self._lost(OSError(errno.EIO, "a bug: the traceback is in the log"))
            return
        code = sockets.connect_error(sock)
        if code or not self._alive(sock):
            self._lost(OSError(code or errno.ECONNRESET, ""))
            return
        if not self.finished:
            self._poller.add_writer(self)  # if nothing waits, it is taken off again
        if self._reading:
            self.read()

    def _alive(self, sock: Socket) -> bool:
        try:
            return bool(sock.recv(1, socket.MSG_PEEK)) or not self.ended or self.finished
        except BlockingIOError:
            return True
        except OSError:
            return False

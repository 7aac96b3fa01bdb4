"""
DatagramLeg: one of the two connected sockets of a session of datagrams. BorrowedLeg: in the place
of the client's, while it has none.
"""

from __future__ import annotations

import os
from typing import Protocol

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from gateway.interfaces import Address, Side
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.session.senders import Senders
from gateway.wire.poller import Poller

LARGEST = 65535
"""Bytes of a datagram, at most."""

AT_ONCE = 64
"""Datagrams that are taken from one socket before the others have their turn."""

_buffer = bytearray(LARGEST)
_view = memoryview(_buffer)


class Owner(Protocol):
    """Whose leg it is."""

    def received(self, side: Side, data: memoryview) -> None:
        """A datagram, in a buffer that the next one will be in."""

    def lost(self, side: Side, error: OSError) -> None:
        """The kernel has an error for it."""

    def break_off(self, failure: Failure) -> None:
        """There is a bug."""


class DatagramLeg:
    """
    The socket.

    @ivar fd: its descriptor; -1 when closed.
    @ivar sent: bytes that it has sent.
    """

    __slots__ = ("_at_once", "_poller", "_session", "_socket", "fd", "sent", "side")

    def __init__(self, poller: Poller, sock: Socket, side: Side, session: Owner) -> None:
        self._poller = poller
        self._socket = sock
        self.fd = sock.fileno()
        self._session = session
        self.side = side
        self.sent = 0
        self._at_once = 1
        poller.add_reader(self)

    def send(self, data: bytes | memoryview) -> None:
        """Send a datagram, or drop it if the kernel doesn't take it now."""
        if self.fd < 0:
            return
        try:
            self.sent += self._socket.send(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self._session.lost(self.side, error)

    def doRead(self) -> None:
        """The poller: there are datagrams, or an ICMP error."""
        for _ in range(self._at_once):
            if self.fd < 0:
                return
            try:
                size = self._socket.recv_into(_buffer)
            except BlockingIOError:
                self._at_once = 1
                return
            except OSError as error:
                self._session.lost(self.side, error)
                return
            self._session.received(self.side, _view[:size])
        # To look in vain for one more costs as much as to be told of it.
        self._at_once = min(2 * self._at_once, AT_ONCE)

    def close(self) -> None:
        """No more."""
        if self.fd >= 0:
            self._poller.closing(self.fd)
            self.fd = -1
            self._socket.close()

    def doWrite(self) -> None:
        """Nobody waits for that: what can't be sent at once is dropped."""

    def connectionLost(self, reason: Failure) -> None:
        """
        The poller saw an error before there was anything to read, and looks no more. Nothing is
        lost by most of them.
        """
        if self.fd < 0:
            return
        if not isinstance(reason.value, ConnectionLost):  # a bug
            self._session.break_off(reason)
            return
        code = sockets.connect_error(self._socket)
        self._session.lost(self.side, OSError(code, os.strerror(code)))
        if self.fd >= 0:
            self._poller.add_reader(self)


class BorrowedLeg:
    """
    Sends to a client by a socket that other sessions have, too. It hears nothing: what the client
    sends comes to the listener, and no ICMP error comes at all.

    @ivar sent: bytes that it has sent.
    @raise OSError: there is no such socket, and none can be made.
    """

    __slots__ = ("_client", "_senders", "_server", "sent")

    def __init__(self, senders: Senders, server: Address, client: Address) -> None:
        self._senders = senders
        self._server = server
        self._client = client
        self.sent = 0
        senders.towards_client(server)

    def send(self, data: bytes | memoryview) -> None:
        """Send a datagram, or drop it if the kernel doesn't take it now."""
        try:
            sock = self._senders.towards_client(self._server)
            self.sent += sock.sendto(data, self._client)
        except OSError:
            pass  # as any router would drop it; the client asks again

    def close(self) -> None:
        """It is the others' as well."""

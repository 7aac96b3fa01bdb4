"""
An Expectation is one announced connection that has not come yet.

The gateway listens, transparently, at the very address that was announced, and
accepts there one connection, from one host, for a limited time. Where the
divert brings such a connection to the ordinary listener (a rule for all ports;
client and server on one host, where the address is taken by the server itself),
L{Admission<gateway.admission>} finds the expectation by its addresses.

A connection that another session is to join, and that comes first, waits here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.interfaces import Address, IExpectation
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.session.ticker import Bucket, Ticker

BACKLOG = 4
"""A stranger who connects first must not keep the expected one out."""

STRANGERS = 16
"""Strangers who are turned away before the announcement is taken back."""


Taker = Callable[[Socket, Address, Address], None]
"""Takes a socket, the address of whoever connected, and where to."""


@implementer(IReadDescriptor, IExpectation)
class Expectation:
    """
    One announced connection.

    @param accept: takes the next connection from C{sock}.
    @param initiator: the only host that may connect.
    @param sock: listens at the announced address; C{None} if the ordinary
        listener will get the connection.
    @param taker: takes the connection; C{None}: whoever joins it does.
    @param stranger: is told who else connected.
    @param gone: is called once, when it is not expected any more.
    @ivar came: the connection is there.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        accept: Callable[[Socket], tuple[Socket, Address, Address]],
        initiator: str,
        address: Address,
        sock: Socket | None,
        taker: Taker | None,
        stranger: Taker,
        gone: Callable[[Expectation], None],
    ) -> None:
        self.initiator = initiator
        self.address = address
        self.gone: Deferred[None] = Deferred()
        self._reactor = reactor
        self._accept = accept
        self._socket = sock
        self._taker = taker
        self._held: tuple[Socket, Address, Address] | None = None
        self.came = False
        self._stranger = stranger
        self._strangers = 0
        self._gone: Callable[[Expectation], None] | None = gone
        self._bucket: Bucket | None = None
        if sock is not None:
            reactor.addReader(self)

    def watch(self, ticker: Ticker, seconds: float) -> None:
        """Expect it for so long."""
        self._bucket = ticker.after(seconds, self)

    def check_time(self) -> None:
        """It did not come in time."""
        self._bucket = None
        self.cancel()

    def take(self, sock: Socket, client: Address, server: Address) -> None:
        """It came; if nobody wants it yet, it waits."""
        self.came = True
        self._stop_listening()
        if self._taker is None:
            self._held = sock, client, server
            return
        taker = self._taker
        self._leave()
        taker(sock, client, server)
        self.gone.callback(None)

    def join(self, taker: Taker) -> None:
        """C{taker} takes it, if it is there or as soon as it is; unless it is gone."""
        if self._gone is not None:
            self._taker = taker
        held, self._held = self._held, None
        if held is not None:
            self.take(*held)

    def cancel(self) -> None:
        """See L{IExpectation.cancel}."""
        if self._leave():
            self.gone.callback(None)

    def _leave(self) -> bool:
        """Not expected any more. False if that was so already."""
        gone, self._gone = self._gone, None
        if gone is None:
            return False
        self._taker = None  # it knows whoever knows this
        if self._bucket is not None:
            self._bucket.discard(self)
        self._stop_listening()
        held, self._held = self._held, None
        if held is not None:
            sockets.reset(held[0])
        gone(self)
        return True

    def _stop_listening(self) -> None:
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None

    def doRead(self) -> None:
        """The reactor: somebody connected."""
        if self._gone is None or self._socket is None:
            return
        try:
            sock, client, server = self._accept(self._socket)
        except OSError:
            return  # gone again, or out of descriptors: it is still in the queue then
        if client.host == self.initiator:
            self.take(sock, client, server)
            return
        self._strangers += 1
        self._stranger(sock, client, server)
        if self._strangers >= STRANGERS:
            self.cancel()

    def fileno(self) -> int:
        """The listening descriptor."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """What Twisted's log calls us."""
        return "expectation"

    def connectionLost(self, reason: Failure) -> Any:
        """The reactor stops, or the descriptor failed."""
        self.cancel()

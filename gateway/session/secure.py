"""
TLS between a wire and its session.

The TLS itself is Twisted's (and so pyOpenSSL's). Here it is only put in
between: towards the wire this is the owner, towards Twisted the transport,
towards the session it looks like a wire.

TLS ends in both directions at once here: after a peer's close_notify nothing
can be sent to that peer any more. An end without close_notify is an error, as
in OpenSSL 3, because whoever can forge a FIN could cut a message short; unless
we have said goodbye already.
"""

from __future__ import annotations

import errno
from typing import Any

from OpenSSL.SSL import SENT_SHUTDOWN
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.interfaces import SERVER, Side
from gateway.session.wire import Wire, WireOwner

_DONE = Failure(ConnectionDone())  # type: ignore[no-untyped-call]


class _Factory(TLSMemoryBIOFactory):
    """Twisted's, with writes that are not put off: the session's flow control counts on it."""

    protocol = TLSMemoryBIOProtocol
    noisy = False


class _Plain(Protocol):
    """What comes out of TLS."""

    def __init__(self, secured: SecureWire) -> None:
        self._secured = secured

    def dataReceived(self, data: bytes) -> None:
        """Plaintext."""
        self._secured.owner.wire_received(self._secured.side, data)

    def connectionLost(self, reason: Failure = _DONE) -> None:
        """TLS is over, well or badly."""
        self._secured.over(reason)


@implementer(ITransport)
class SecureWire:
    """A wire that speaks TLS. C{credentials} is what Twisted takes as a context factory."""

    def __init__(self, wire: Wire, owner: WireOwner, credentials: Any, reactor: Any) -> None:
        self._wire = wire
        self._closing = False
        self.side = wire.side
        self.owner = owner
        self.active = owner.active
        self.ended = False
        self.disconnecting = False
        factory = _Factory(
            credentials,
            self.side is SERVER,
            Factory.forProtocol(lambda: _Plain(self)),
            reactor,
        )
        self._tls: Any = factory.buildProtocol(None)

    def start(self, hello: bytes) -> None:
        """Take over from the next byte on."""
        self._wire.owner = self
        self._wire.detach()
        self._tls.makeConnection(self)
        if hello:
            self.wire_received(self.side, hello)

    # As a wire, towards the session

    @property
    def waiting(self) -> int:
        """Bytes of ciphertext that could not be sent yet."""
        return self._wire.waiting

    @property
    def received(self) -> int:
        """Bytes of ciphertext received, and plaintext before."""
        return self._wire.received

    @property
    def sent(self) -> int:
        """Bytes of ciphertext sent, and plaintext before."""
        return self._wire.sent

    @property
    def finished(self) -> bool:
        """Whether our end has left."""
        return self._wire.finished

    @property
    def closed(self) -> bool:
        """Whether the socket is gone."""
        return self._wire.closed

    def detach(self) -> None:
        """Nothing: it is never sent on by the shortest way."""

    def send(self, data: bytes) -> None:
        """Encrypt and send."""
        self._tls.write(data)
        self._settle()

    def end(self) -> None:
        """Send close_notify once everything sent has left, then half-close."""
        if not self.disconnecting:
            self.disconnecting = True
            self._tls.loseConnection()
            self._settle()

    def close(self) -> None:
        """Close in an orderly way."""
        self._wire.close()

    def reset(self) -> None:
        """Close with a reset."""
        self._wire.reset()

    # As an owner, towards the wire

    def wire_received(self, side: Side, data: bytes) -> None:
        """Ciphertext."""
        self.owner.active = self.active
        self._tls.dataReceived(data)
        self._settle()

    def wire_ended(self, side: Side) -> None:
        """The end, without close_notify if TLS is not over."""
        if self.ended:
            return
        if self._wire.finished:
            self._end()
        else:
            self.owner.wire_lost(
                side, OSError(errno.EPROTO, "TLS was cut short, without close_notify")
            )

    def wire_lost(self, side: Side, error: OSError) -> None:
        """The connection is gone."""
        self.owner.wire_lost(side, error)

    def wire_full(self, side: Side) -> None:
        """Can't be: it is never sent on by the shortest way."""

    def wire_drained(self, side: Side) -> None:
        """The kernel took everything."""
        self.owner.wire_drained(side)

    def _settle(self) -> None:
        """If TLS said goodbye, or is over, in the call just made, go on from there."""
        if self.disconnecting and self._said_goodbye():
            self._wire.end()
        if self._closing:
            self._closing = False
            self._tls.connectionLost(_DONE)

    def _said_goodbye(self) -> bool:
        """Whether our close_notify has been written, or there is no TLS any more."""
        connection = self._tls.getHandle()
        return connection is None or bool(connection.get_shutdown() & SENT_SHUTDOWN)

    def over(self, reason: Failure) -> None:
        """TLS is over."""
        if isinstance(reason.value, ConnectionDone):
            self._wire.end()
            self._end()
        else:
            why = f"TLS: {reason.value}"
            self.owner.wire_lost(self.side, OSError(errno.EPROTO, why))

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.owner.wire_ended(self.side)

    # As a transport, towards Twisted's TLS

    def write(self, data: bytes) -> None:
        """Ciphertext to send."""
        self._wire.send(data)

    def writeSequence(self, data: Any) -> None:
        """Ciphertext to send."""
        self._wire.send(b"".join(data))

    def loseConnection(self) -> None:
        """TLS is over; the reason follows, when its own call has returned."""
        self._closing = True

    def abortConnection(self) -> None:
        """TLS failed."""
        self._closing = True

    def getPeer(self) -> IAddress:
        """Not known here."""
        return None  # type: ignore[return-value]

    def getHost(self) -> IAddress:
        """Not known here."""
        return None  # type: ignore[return-value]

"""
An Endpoint is one end of a TLS connection: a client's or a server's (RFC 8446).

It does no I/O. Bytes of the peer are put in with L{Endpoint.receive}, which
gives the plaintext; bytes for the peer are taken out with L{Endpoint.take}, after
every other call.

Ends are as in TCP: each direction has its own. A peer's close_notify ends what
the peer says, and our own, L{Endpoint.end}, what we say (RFC 8446, section 6.1;
OpenSSL lets TLS 1.2 do the same).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from OpenSSL import SSL

from gateway.tls import raw
from gateway.tls.alert import received
from gateway.tls.public import PublicCalls
from gateway.tls.raw import BROKEN, ENDED, RawCalls

AT_ONCE = 65536
"""Bytes of ciphertext that are decrypted at once, at most."""

Calls: type[RawCalls] | type[PublicCalls] = RawCalls if raw.usable() else PublicCalls


class Broken(NamedTuple):
    """
    TLS with this peer is over, badly.

    C{reason} is in OpenSSL's words. C{alert} is the name of the alert that the
    peer sent; empty if it was this end that refused what the peer sent: then
    L{Endpoint.take} gives the alert for the peer.
    """

    reason: str
    alert: str


class Endpoint:
    """
    One end of a TLS connection.

    @ivar connection: pyOpenSSL's, for what is asked for once only.
    @ivar agreed: the handshake is over, well.
    @ivar ended: the peer said close_notify.
    @ivar broken: why nothing can be said or heard any more; C{None} if it can.
    @ivar finished: we said it.
    @ivar held: bytes that wait for the handshake to be over.
    """

    __slots__ = (
        *("_calls", "_early", "__weakref__"),
        *("agreed", "broken", "connection", "ended", "finished", "held"),
    )

    def __init__(self, connection: SSL.Connection, calls: Any = None) -> None:
        self.connection = connection
        self._calls = (calls or Calls)(connection)
        self._early: list[bytes] = []
        self.agreed = False
        self.ended = False
        self.broken: Broken | None = None
        self.finished = False
        self.held = 0

    def start(self) -> bytes:
        """Begin. What is to be sent, if it is for us to say hello."""
        self._shake(b"")
        return self.take()

    def receive(self, data: bytes) -> bytes:
        """
        The plaintext of what the peer sent. Afterwards, see C{agreed}, C{ended} and C{broken}, and
        L{take} what is to be answered.
        """
        if len(data) > AT_ONCE:
            pieces = range(0, len(data), AT_ONCE)
            return b"".join([self.receive(data[at : at + AT_ONCE]) for at in pieces])
        if self.ended or self.broken:
            return b""
        calls = self._calls
        if not self.agreed:
            if not self._shake(data):
                return b""
            data = b""
        plain: bytes = calls.open(data)
        if calls.state:
            self._look()
        return plain

    def send(self, data: bytes) -> bytes:
        """
        Encrypt C{data}; before the handshake is over, keep it until then.

        @return: what is to be sent.
        """
        if self.finished or self.broken:
            return b""
        if self.agreed:
            cipher: bytes = self._calls.seal(data)
            return cipher
        self._early.append(data)
        self.held += len(data)
        return b""

    def end(self) -> bytes:
        """Say close_notify, after what was sent. What is to be sent."""
        if not self.finished:
            self.finished = True
            if self.agreed and not self.broken:
                self._calls.shut()
        return self.take()

    def take(self) -> bytes:
        """What is to be sent to the peer."""
        cipher: bytes = self._calls.take()
        return cipher

    @property
    def is_client(self) -> bool:
        """Whether it was for us to say hello."""
        return self.connection.get_app_data() is not None

    @property
    def only_tickets(self) -> bool:
        """
        Whether what is to be sent at the end of a handshake, if nothing was held, is nothing but
        tickets: a server of TLS 1.3 has said all else before it hears that the client is done.
        """
        if not self.agreed or self.broken or self.finished or self.is_client:
            return False
        return self.connection.get_protocol_version_name() == "TLSv1.3"

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(self._calls.reused)

    def _shake(self, data: bytes) -> bool:
        """Go on with the handshake. Whether it is over; what is to be sent is yet to be taken."""
        calls = self._calls
        if calls.handshake(data):
            self.agreed = True
            early, self._early, self.held = self._early, [], 0
            for each in early:
                calls.write(each)
            if self.finished:
                calls.shut()
        elif calls.state:
            self._look()
        return self.agreed

    def _look(self) -> None:
        if self._calls.state == ENDED:
            self.ended = True
        elif self._calls.state == BROKEN:
            self.broken = Broken(self._calls.error, received(self._calls.error))

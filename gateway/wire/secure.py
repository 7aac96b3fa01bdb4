"""
SecureWire: TLS between a wire and its session.

Towards the wire this is the owner, towards the session it looks like a wire; the
TLS itself is an L{Endpoint<gateway.tls.endpoint.Endpoint>}'s.

Ends are as in TCP: a side that said close_notify is still answered. A connection
that ends without close_notify is C{cut}: whoever can forge a FIN could have cut a
message short, so that only what is complete by its own length is complete. Most
clients and servers say no close_notify at the end of an ordinary session, so this
alone is no error, and it is handed on: the other side gets none from us then.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail

from gateway.agreement import Insecure
from gateway.interfaces import Side
from gateway.tls.endpoint import Endpoint
from gateway.wire.owner import NOBODY, WireOwner
from gateway.wire.wire import Wire

Later = Callable[[Callable[[], None]], object]
"""Calls something in the next turn of the reactor."""

MOST_ANSWERS = 65536
"""
Bytes of TLS's own answers that may wait for a peer that does not read, such as to changes of
keys (RFC 8446, section 4.6.3), before that peer is not read any more.
"""


def _nothing() -> None:
    """There is nothing left to do."""


class SecureWire:
    """
    A wire that speaks TLS.

    Nothing is read, and what is sent is kept, until L{begin}; the peer is then read until the
    handshake is over, whether the session wants to or not.

    @ivar parting: called once, before it is closed.
    @ivar ended: the peer will say no more.
    @ivar cut: it ended without close_notify.
    """

    __slots__ = (
        "_done",
        "_ending",
        "_endpoint",
        "_failed",
        "_kept",
        "_later",
        "_plain",
        "_silent",
        "_tickets",
        "_wanted",
        "_wire",
        "active",
        "cut",
        "ended",
        "owner",
        "parting",
        "side",
    )

    def __init__(self, wire: Wire, owner: WireOwner, later: Later) -> None:
        self._wire = wire
        self._later = later
        self._endpoint: Endpoint | None = None
        self._done: Deferred[None] | None = None
        self._kept: list[bytes] = []
        self._plain = b""
        self._tickets = b""
        self._wanted = False
        self._ending = False
        self._failed = False
        self._silent = False
        self.side = wire.side
        self.owner = owner
        self.active = owner.active
        self.parting: Callable[[], None] = _nothing
        self.ended = False
        self.cut = False
        wire.detach()
        wire.pause()
        wire.owner = self

    def begin(self, endpoint: Endpoint, hello: bytes) -> Deferred[None]:
        """
        Begin the handshake.

        @param hello: what was read of the peer already.
        @return: fires when it is over, or fails with L{Insecure}.
        """
        if self._wire.closed or self.ended:
            return fail(Insecure(f"TLS with the {self.side.value}: it is over"))
        self._endpoint = endpoint
        done = self._done = Deferred()
        self._wire.send(endpoint.start())
        kept, self._kept = self._kept, []
        for data in kept:
            endpoint.send(data)
        if self._ending:
            endpoint.end()
        self._wire.read()
        if hello:
            self.wire_received(self.side, hello)
        return done

    def give_up(self) -> None:
        """The handshake is taking too long."""
        self._done = None
        self._give_up()

    # As a wire, towards the session

    @property
    def endpoint(self) -> Endpoint | None:
        """The end of the connection that is ours; C{None} before it begins."""
        return self._endpoint

    @property
    def waiting(self) -> int:
        """Bytes that could not be sent yet."""
        endpoint = self._endpoint
        held = sum(map(len, self._kept)) if endpoint is None else endpoint.held
        return self._wire.waiting + held

    @property
    def received(self) -> int:
        """Bytes of ciphertext received, and plaintext before."""
        return self._wire.received

    @property
    def sent(self) -> int:
        """Bytes of ciphertext sent, and plaintext before."""
        return self._wire.sent

    @property
    def ending(self) -> bool:
        """Whether our end has left, or is to leave as soon as all else has."""
        return self._ending

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

    def read(self) -> None:
        """Tell what is read from now on."""
        self._wanted = True
        if self._plain:
            self._later(self._give)
        elif self._endpoint is not None and not self._shaking:
            self._wire.read()

    def pause(self) -> None:
        """Tell nothing until L{read}."""
        self._wanted = False
        if not self._shaking:
            self._wire.pause()

    def send(self, data: bytes) -> int:
        """
        Encrypt and send.

        @return: how many bytes wait now.
        """
        endpoint = self._endpoint
        if endpoint is None:
            self._kept.append(data)
        else:
            self._say(endpoint.send(data))
        return self.waiting

    def end(self) -> None:
        """Say close_notify once everything sent has left, then half-close."""
        self._ending = True
        endpoint = self._endpoint
        if endpoint is not None:
            self._say(endpoint.end())
            if not self._shaking:
                self._wire.end()

    def cut_off(self) -> None:
        """Half-close without close_notify: what was sent may not be all."""
        self._ending = self._silent = True
        self._wire.end()

    def close(self) -> None:
        """Close in an orderly way."""
        self._part()
        self._wire.close()

    def reset(self) -> None:
        """Close with a reset."""
        self._part()
        self._wire.reset()

    def _part(self) -> None:
        """It is about to be closed."""
        self.owner = NOBODY
        if self._shaking:
            self._fail("the session is over")
        parting, self.parting = self.parting, _nothing
        parting()

    @property
    def _shaking(self) -> bool:
        """Whether the handshake goes on."""
        return self._done is not None

    # As an owner, towards the wire

    def wire_received(self, side: Side, data: bytes) -> None:
        """Ciphertext."""
        endpoint = self._endpoint
        assert endpoint is not None
        self.owner.active = self.active
        said = self._done is None or endpoint.held
        plain = endpoint.receive(data)
        answer = endpoint.take()
        if answer and not said and endpoint.only_tickets:
            self._tickets = answer
        elif answer:
            self._answer(answer)
        if self._done is not None and (endpoint.agreed or endpoint.broken):
            self._shaken(endpoint)
            if not endpoint.agreed:
                return
        if plain:
            self._tell(plain)
        if endpoint.ended:
            self._end()
        elif endpoint.broken:
            self._broken(endpoint.broken.reason)

    def _say(self, cipher: bytes) -> None:
        """
        Send it, behind the tickets of a handshake (RFC 8446, section 4.6.1). They wait for
        something that the client reads: one that only sends, and closes, would leave them unread,
        so that its kernel resets the connection and forgets what it had not sent yet.
        """
        tickets, self._tickets = self._tickets, b""
        self._wire.send(tickets + cipher if tickets else cipher)

    def _answer(self, answer: bytes) -> None:
        """Send what TLS itself has to say."""
        self._say(answer)
        if self._wire.waiting > MOST_ANSWERS:
            self.owner.wire_choked(self.side)

    def _tell(self, plain: bytes) -> None:
        """Plaintext; kept, if the session does not want to read."""
        if self._wanted and not self._plain:
            self.owner.wire_received(self.side, plain)
        else:
            self._plain += plain

    def _give(self) -> None:
        """Tell what was kept, and the end if that has come meanwhile."""
        if not self._wanted or self._wire.closed:
            return
        plain, self._plain = self._plain, b""
        if plain:
            self.owner.wire_received(self.side, plain)
        if self._wanted and not self._wire.closed and not self._plain:
            self._wire.read()
            if self.ended:
                self.owner.wire_ended(self.side)

    def wire_ended(self, side: Side) -> None:
        """The end of the connection."""
        if self.ended:
            return
        self.cut = True
        if self._shaking:
            self._fail("it ended during the handshake")
        else:
            self._end()

    def wire_lost(self, side: Side, error: OSError) -> None:
        """The connection is gone."""
        if self._shaking:
            self._fail(f"the connection was lost during the handshake: {error.strerror}")
        elif self._failed:
            self._wire.reset()
        elif self._wire.finished:
            # whoever has closed already answers our close_notify with a reset
            self._wire.reset()
            self.cut = True
            self._end()
        else:
            self.owner.wire_lost(side, error)

    def wire_full(self, side: Side) -> None:
        """Can't be: it is never sent on by the shortest way."""

    def wire_choked(self, side: Side) -> None:
        """Can't be: a wire does not answer by itself."""

    def wire_drained(self, side: Side) -> None:
        """The kernel took everything; but what is kept for the end of the handshake counts too."""
        if not (self._failed or self.waiting):
            self.owner.wire_drained(side)

    def _shaken(self, endpoint: Endpoint) -> None:
        """The handshake is over."""
        if not endpoint.agreed:
            assert endpoint.broken is not None
            self._fail(*endpoint.broken)
            return
        if not self._wanted:
            self._wire.pause()
        if self._ending:
            self._wire.end()
        done, self._done = self._done, None
        assert done is not None
        self.wire_drained(self.side)  # what was kept may have left in one go
        done.callback(None)

    def _fail(self, reason: str, alert: str = "") -> None:
        """The handshake has failed; what TLS had to say to that is on its way."""
        done, self._done = self._done, None
        assert done is not None
        self._give_up()
        done.errback(Insecure(f"TLS with the {self.side.value}: {reason}", alert))

    def _give_up(self) -> None:
        """Half-close; the session hears of that by the failure of the handshake only."""
        self.ended = self._failed = True
        self._wire.end()

    def _broken(self, reason: str) -> None:
        """
        TLS failed after the handshake. OpenSSL's peers answer an end without close_notify in this
        way: then it is their end.
        """
        if self._silent:
            self.cut = True
            self._end()
        elif not self._wire.closed:
            self.owner.wire_lost(self.side, OSError(errno.EPROTO, f"TLS: {reason}"))

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            if not self._plain:
                self.owner.wire_ended(self.side)

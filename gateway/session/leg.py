"""
A Leg is one side of a session: its wire, and whether that is read.

The server's leg is there before the server is: what is sent there early waits in it.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed

from gateway.interfaces import Address, Side
from gateway.observe.story import LegStory
from gateway.session import guard
from gateway.session.gate import Gate
from gateway.tls.agreed import summary
from gateway.wire.owner import WireOwner
from gateway.wire.secure import SecureWire
from gateway.wire.wire import Wire

Later = Callable[[Callable[[], None]], object]


class Leg:
    """
    One side of a session.

    @param reasons: why it is not read at first.
    @param limit: bytes that may wait for it.
    @ivar wire: its connection, plain or in TLS; C{None}: there is none yet.
    @ivar gate: decides whether it is read.
    @ivar flushing: what fires when everything has left.
    """

    __slots__ = (
        *("_early", "_early_size", "_ending", "_limit", "_sent"),
        *("flushing", "gate", "side", "wire"),
    )

    def __init__(self, side: Side, reasons: int, limit: int) -> None:
        self.side = side
        self.wire: Wire | SecureWire | None = None
        self.gate = Gate(reasons)
        self._limit = limit
        self._early: list[bytes] | None = None  # most have nothing to say so early
        self._early_size = 0
        self._ending = False
        self._sent = 0  # to those who were there before
        self.flushing: tuple[Deferred[None], ...] = ()

    def attach(self, wire: Wire) -> None:
        """The side is there."""
        self.wire = wire
        self.gate.bind(wire)

    def secure(self, owner: WireOwner, later: Later) -> SecureWire:
        """
        From the next byte on, it speaks TLS.

        @raise RuntimeError: a bug of the inspector's.
        """
        wire = self.wire
        if not isinstance(wire, Wire):
            side = self.side.value
            raise RuntimeError(f"the {side}'s side can't be secured: it is not there, or is")
        secured = self.wire = SecureWire(wire, owner, later)
        self.gate.bind(secured)
        return secured

    @property
    def gone(self) -> bool:
        """Whether somebody was there, who will say no more."""
        return self.wire is not None and (self.wire.ended or self.wire.closed)

    @property
    def parting(self) -> bool:
        """Whether somebody is there who was told that no more will be said."""
        return self.wire is not None and self.wire.ending

    def renew(self) -> None:
        """Who was there has gone, and is let go of: somebody else may come."""
        assert self.wire is not None
        self._sent = self.sent
        self.close(orderly=False)
        self.wire = None
        self._ending = False

    def story(self, peer: Address | None, own: Address | None) -> LegStory:
        """
        What there is to tell of it.

        @param peer: whose address is there, and C{own}: as whom we talk to that.
        """
        wire = self.wire
        if wire is None or wire.closed:
            return LegStory(sent=self.sent, waiting=self.waiting, reasons=self.gate.words)
        endpoint = wire.endpoint if isinstance(wire, SecureWire) else None
        return LegStory(
            *(peer, own, wire.received, self.sent, self.waiting, self.gate.words, wire.ended),
            tls=None if endpoint is None or not endpoint.agreed else summary(endpoint),
        )

    # Towards the peer

    def send(self, data: bytes) -> bool:
        """
        Send C{data}, or keep it for who is not there yet.

        @return: whether more waits than should.
        """
        wire = self.wire
        if wire is None:
            if self._early is None:
                self._early = []
            self._early.append(data)
            self._early_size += len(data)
            return self._early_size > self._limit
        return wire.send(data) > self._limit

    def urge(self, data: bytes) -> bool:
        """The same, with TCP's urgent data if there is such a thing."""
        wire = self.wire
        if not isinstance(wire, Wire):
            return self.send(data)
        wire.urge(data)
        return wire.waiting > self._limit

    def catch_up(self) -> bool:
        """
        Send what was kept for who is there now. At once: who breaks off in the midst of it would
        not be heard, as nobody reads from there yet.

        @return: whether more waits than should.
        """
        early, self._early, self._early_size = self._early, None, 0
        return early is not None and self.send(b"".join(early))

    @property
    def waiting(self) -> int:
        """Bytes that could not be sent yet."""
        return self._early_size if self.wire is None else self.wire.waiting

    @property
    def flushed(self) -> bool:
        """Whether everything that was sent has left."""
        return self.wire is not None and not self.wire.waiting

    def when_flushed(self) -> Deferred[None]:
        """Fires as soon as L{drained} is called; now, if everything has left."""
        if self.flushed:
            return succeed(None)
        flushed = guard.promise()
        self.flushing += (flushed,)
        return flushed

    def drained(self, session: guard.Guarded) -> None:
        """Everything has left: tell who waits for that, on behalf of C{session}."""
        flushing, self.flushing = self.flushing, ()
        for flushed in flushing:
            flushed.callback(None)
            flushed.addErrback(guard.failed, session)

    # The end

    @property
    def early(self) -> bool:
        """Whether something was said, or awaited, before it was there."""
        return self._early is not None or self._ending or bool(self.flushing)

    @property
    def ending_early(self) -> bool:
        """Whether its end was said before it was there."""
        return self._ending

    @property
    def cut(self) -> bool:
        """Whether its TLS has ended without close_notify."""
        return isinstance(self.wire, SecureWire) and self.wire.cut

    @property
    def protected(self) -> bool:
        """Whether it speaks TLS."""
        return isinstance(self.wire, SecureWire)

    @property
    def silent(self) -> bool:
        """Whether nothing waits, and TLS has no goodbye to say."""
        return self.wire is None or (isinstance(self.wire, Wire) and not self.wire.waiting)

    @property
    def ended(self) -> bool:
        """Whether it will send no more."""
        return self.wire is not None and self.wire.ended

    @property
    def over(self) -> bool:
        """Whether both ends were said. Who is not there has nothing to say."""
        wire = self.wire
        return wire is None or (wire.ended and wire.finished) or wire.closed

    @property
    def sent(self) -> int:
        """Bytes that have left."""
        return self._sent if self.wire is None else self._sent + self.wire.sent

    def end(self, other: Leg) -> None:
        """
        Half-close, as soon as there is something to close.

        @param other: the side from which all came. If that was cut, it may not be all: TLS is not
            to say that it is.
        """
        wire = self.wire
        if wire is None:
            self._ending = True
        elif isinstance(wire, SecureWire) and other.cut:
            wire.cut_off()
        else:
            wire.end()

    def leave(self, cut: bool) -> None:
        """
        Send what is to be sent, and half-close; what comes is told again.

        @param cut: what was sent may not be all.
        """
        wire = self.wire
        if wire is not None and not wire.closed:
            wire.detach()
            self.gate.open(-1)
            if cut and isinstance(wire, SecureWire):
                wire.cut_off()
            else:
                wire.end()

    def reset(self) -> None:
        """Close with a reset."""
        if self.wire is not None:
            self.wire.reset()

    def close(self, orderly: bool) -> None:
        """Close, and forget what waits. With a reset, unless that is in order or all was said."""
        self.flushing = ()
        self._early = None
        wire = self.wire
        if wire is None:
            return
        if orderly or (wire.ended and wire.finished):
            wire.close()
        else:
            wire.reset()

    def close_finished(self) -> None:
        """Close if its end has left: the rest is for the kernel to deliver."""
        if self.wire is not None and self.wire.finished:
            self.wire.close()

"""
A Session is one intercepted connection: a client side, a server side, one
inspector, one verdict, one audit record.

The life of a session::

    ALONE       only the client's side exists; the inspector has been started
    CONNECTING  the server's side is being opened; the client is not read
    OPEN        both sides exist
    LEAVING     the verdict is known; what was sent last is on its way
    OVER        nothing exists any more; every call does nothing

What may be asked for, and where that leads::

                    ALONE        CONNECTING   OPEN            LEAVING   OVER
    connect, join   CONNECTING   a bug        CONNECTING *    nothing   nothing
    send, end       kept         kept         sent            nothing   nothing
    secure          the client   the client   either side     nothing   nothing
    deny, close     LEAVING, or OVER if nothing waits         nothing   nothing

    * if the server has gone, or was half-closed towards; else it is a bug

Three words for three ends: one side is half-closed (C{end}), the session leaves when its
verdict is known (C{_leave}), and it is finished when nothing is left of it (C{_finish}).

Whether a side is read is decided by its gate alone, see L{gateway.session.gate}.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.agreement import Agreed, Insecure, Invalid
from gateway.envelope import NO_ENVELOPE, Envelope
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    IInspector,
    ISession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from gateway.kernel.sockets import Socket
from gateway.observe.identity import Identity
from gateway.observe.log import PrintableLogger
from gateway.observe.snapshot import KERNEL, Snapshot
from gateway.observe.story import Story
from gateway.policy.policy import Policy
from gateway.policy.service import Service, Target
from gateway.policy.tls import Terms
from gateway.release.passage import NO_PASSAGE, NoPassage, Passage
from gateway.release.told import Told
from gateway.session import gate as reason
from gateway.session import guard
from gateway.session.announced import Announced, Related
from gateway.session.approach import Approach, Held
from gateway.session.equipment import Equipment
from gateway.session.expectation import Expectation
from gateway.session.facilities import Facilities
from gateway.session.inspection import Inspection
from gateway.session.leg import Leg
from gateway.session.legs import Legs
from gateway.session.patience import Patience
from gateway.session.probe import Probe
from gateway.session.records import Records
from gateway.session.stack import Body, Stacked, inspecting, keeps, stack
from gateway.tls.credentials import Whom
from gateway.wire.connector import Origin, origin
from gateway.wire.handshake import Asked, Handshake
from gateway.wire.relay import join
from gateway.wire.wire import Wire

log = PrintableLogger()

TERMS = Terms()

FULL = {CLIENT: reason.CLIENT_FULL, SERVER: reason.SERVER_FULL}
_FILLED = tuple((full, side) for side, full in FULL.items())

_NONE: frozenset[Any] = frozenset()

T = TypeVar("T")


class State(Enum):
    """Where in its life a session stands."""

    ALONE = "alone"
    CONNECTING = "connecting"
    OPEN = "open"
    LEAVING = "leaving"
    OVER = "over"

    __hash__ = object.__hash__  # by identity: Enum's own costs, and this is asked all the time


# Asked for all the time as well, and a name of a module is found faster than one of a class.
ALONE, CONNECTING, OPEN, LEAVING, OVER = State

Treatment = str | Callable[[ISession], IInspector] | None
"""What becomes of an announced connection: a service's name, or what makes its inspector."""


class Agreements(Protocol):
    """All connections that sessions have agreed on and that are not there yet."""

    def expect(
        self, session: Session, side: Side, initiator: str, address: Address, treatment: Treatment
    ) -> Deferred[Any]:
        """See L{ISession.expect}. C{initiator} is the only host that may connect."""

    def dial(
        self, session: Session, side: Side, address: Address, source: Origin, treatment: Treatment
    ) -> Deferred[Address]:
        """
        See L{ISession.dial}. C{source} is where it comes from.

        @raise Denied: the session has as many as it may have.
        @raise Unreachable: there are no descriptors left.
        """


class Home(Protocol):
    """Where all sessions are: what one of them can't know alone."""

    @property
    def equipment(self) -> Equipment:
        """The tools of all."""

    @property
    def related(self) -> Agreements:
        """What they have agreed on."""

    def permits(self, session: Session, address: Address) -> bool:
        """Whether the policy has C{session} go to C{address}."""

    def over(self, session: Session) -> None:
        """C{session} is no more."""


@implementer(ISession)
class Session(Facilities):
    """
    One intercepted connection.

    It has more methods than any other class, since it is what everybody else talks to: the
    inspector asks (L{ISession}), wires, time and the approach tell. Each method says what that
    means for the life of the session; what it takes is done by nouns: two L{Leg}s, an
    L{Approach}, an L{Inspection}, what it has L{Announced}, its L{Records}, its L{Patience}.

    C{held} is a connection to the server that is there already. C{make} makes its inspector; the
    service's own maker unless the connection was announced (L{ISession.expect}) together with an
    inspector.
    """

    __slots__ = (
        *("__weakref__", "_announced", "_approach", "_home", "_inspection", "_legs", "_make"),
        *("_passage", "_patience", "_released", "_speaking", "_stacked", "_state", "_verdict"),
        "active",
    )

    def __init__(
        self,
        home: Home,
        policy: Policy,
        service: Service,
        identity: Identity,
        sock: Socket,
        targets: tuple[Target, ...],
        make: Callable[[ISession], IInspector],
        held: Socket | None = None,
    ) -> None:
        equipment = home.equipment
        super().__init__(equipment, policy, service, identity, Records(equipment, identity))
        self.active = equipment.ticker.wake()
        self._home = home
        self._make = make
        self._state = ALONE
        self._verdict: Verdict | None = None
        self._patience = Patience(equipment.ticker, service.limits, self)
        self._inspection = Inspection()
        self._approach = Approach(
            equipment,
            service.name,
            targets or (identity.server,),
            origin(service.source, identity.client),
        )
        if held is not None:
            self._approach.hold(Held(held, identity.client, identity.server))
        self._speaking: Side | None = None
        self._released = False
        self._passage: Passage | NoPassage = NO_PASSAGE
        self._announced: Announced | None = None  # most have announced nothing
        self._stacked: frozenset[Stacked] = _NONE  # most have none: all share the empty one
        limit = service.limits.buffer
        client = Leg(CLIENT, reason.STARTING, limit)
        self._legs = {CLIENT: client, SERVER: Leg(SERVER, reason.CONNECTING, limit)}
        client.attach(Wire(equipment.poller, equipment.ticker, sock, CLIENT, self))

    def start(self) -> None:
        """Make the inspector, tell it, and read from the client if it wants to."""
        make = self._make
        del self._make  # it may know whoever knows this session: no circle
        inspection = self._inspection
        decision = inspection.begin(self, make)
        if decision is not None:
            self._await(inspection.first, CLIENT, decision)
        if self._state not in _ENDING and not inspection.followed:  # else that has begun itself
            self._legs[CLIENT].gate.open(reason.STARTING)
        if self._state is ALONE:
            self._patience.begin()

    # For a session that another one announced

    def come_from(self, address: Address) -> None:
        """Open the server's side from this address, whatever the service says."""
        self._approach.origin = Origin(address)

    def adopt(self, related: Session) -> None:
        """C{related} was announced by this session, which is not idle while that one is not."""
        self.announced.adopt(related)
        related.announced.by = self

    @property
    def announced(self) -> Announced:
        """What it has announced, and who has announced it."""
        if self._announced is None:
            self._announced = Announced()
        return self._announced

    def left_by(self, related: Related) -> None:
        """An announced session is over; what it did last counts."""
        self.announced.forget(related)
        self.active = max(self.active, related.last)

    @property
    def peers(self) -> tuple[str, ...]:
        """Its hosts: where connections that they agree on may go."""
        upstream = self._approach.upstream
        reached = () if upstream is None else (upstream.address.host,)
        return (self.client.host, self.server.host, *reached)

    # What the inspector asks for

    @property
    def source(self) -> Address:
        """See L{ISession}."""
        upstream = self._approach.upstream
        return self.client if upstream is None else upstream.source

    def connect(self, address: Address | None = None, port: int | None = None) -> Deferred[Address]:
        """See L{ISession.connect}."""
        if self._state in _ENDING:
            return guard.promise()
        approach = self._approach
        present = approach.upstream
        if present is not None and self._inspection.followed:
            return self.watched(self._found(present.address))
        self._check_alone()
        if address is not None and not self.permits(address):
            return self.watched(
                fail(Denied(f"the policy has no connection to {address} by {self.service}"))
            )
        if port is not None:
            approach.origin = approach.origin.with_port(port)
        if self.equipment.passages.asked and self._is_bare():
            approach.origin = approach.origin._replace(bare=True)
        self._begin_to_connect()
        self._patience.connecting()
        return approach.begin(self, address)

    def _is_bare(self) -> bool:
        """Whether the server's leg is to have no timestamps, as the client's has none."""
        client = self._legs[CLIENT].wire
        # A client may be lost, and that be awaited: its socket is gone then.
        socket = client.socket if isinstance(client, Wire) and not client.closed else None
        return socket is not None and self.equipment.passages.is_bare(socket)

    def _found(self, server: Address) -> Deferred[Address]:
        """What an inspector hears that wants a server, and has followed the one that got it."""
        if self._inspection.server_gone:
            return fail(Unreachable(f"{server} has gone, and what was agreed with it"))
        return succeed(server)

    @property
    def reconnects(self) -> bool:
        """See L{ISession}."""
        return not (self._inspection.followed or self._approach.origin.strict)

    def permits(self, address: Address) -> bool:
        """See L{ISession.permits}."""
        return (
            (self._announced is not None and self._announced.permits(address))
            or address.host == self.server.host
            or self._home.permits(self, address)
        )

    def join(self, expectation: Expectation) -> Deferred[Address]:
        """See L{ISession.join}."""
        if self._state in _ENDING:
            return guard.promise()
        self._check_alone()
        self._begin_to_connect()
        return self._approach.join(self, expectation)

    def _check_alone(self) -> None:
        """
        @raise RuntimeError: a bug of the inspector's.
        """
        if self._state is OPEN and not self._released:
            server = self._legs[SERVER]
            if server.parting or (server.gone and self._inspection.server_gone):
                self._part()
        if self._state is not ALONE:
            raise RuntimeError("the session was asked to connect twice")

    def _part(self) -> None:
        """The server has gone, and another one is wanted: it is as if there had been none."""
        self._legs[SERVER].gate.shut(reason.CONNECTING)
        self._legs[SERVER].renew()
        self._inspection.server_gone = False
        for leg in self._legs.values():
            leg.gate.open(reason.SERVER_FULL)
        self._state = ALONE
        client = self._legs[CLIENT].wire
        if client is not None and not client.closed:  # else the verdict is the client's loss
            self._verdict = None

    def _begin_to_connect(self) -> None:
        self._state = CONNECTING
        self._legs[CLIENT].gate.shut(reason.CONNECTING)

    def send(self, side: Side, data: bytes) -> None:
        """See L{ISession.send}."""
        if self._state not in _ENDING and self._legs[side].send(data):
            self._fill(side)

    def urge(self, side: Side, data: bytes) -> None:
        """See L{ISession.urge}."""
        if self._state not in _ENDING and self._legs[side].urge(data):
            self._fill(side)

    def _fill(self, side: Side) -> None:
        """Too much waits for C{side}: whoever caused that has to wait."""
        self._legs[self._speaking or side.other].gate.shut(FULL[side])

    def flushed(self, side: Side) -> Deferred[None]:
        """See L{ISession.flushed}."""
        if self._state in _ENDING:
            return guard.promise()
        leg = self._legs[side]
        return self.watched(leg.when_flushed()) if leg.flushed else leg.when_flushed()

    def give_way(self, side: Side) -> Deferred[None]:
        """See L{ISession.give_way}."""
        given: Deferred[None] = Deferred()
        self.equipment.clock.callLater(0, self._go_on, side, given)
        return given

    def _go_on(self, side: Side, given: Deferred[None]) -> None:
        """Others have had their turn: whoever gave way to them goes on, unless a buffer is full."""
        if given.called or self._state in _ENDING:
            return
        for full, waited in _FILLED:
            if self._legs[side].gate.reasons & full:
                self.flushed(waited).addCallback(lambda _: self._go_on(side, given))
                return
        self._speaking = side
        try:
            given.callback(None)
        finally:
            self._speaking = None

    def end(self, side: Side) -> None:
        """See L{ISession.end}."""
        if self._state in _ENDING:
            return
        self._legs[side].end(self._legs[side.other])

    def deny(self, why: str, reply: bytes = b"") -> None:
        """See L{ISession.deny}."""
        if self._state in _ENDING:
            return
        verdict = Verdict(Outcome.DENIED, why)
        if not reply or self._passage.holds:
            self._finish(verdict)
            return
        self._state = LEAVING
        self._verdict = verdict  # whatever becomes of the reply
        self._approach.abandon()
        self._legs[SERVER].reset()  # what it has is not all
        self._legs[CLIENT].send(reply)
        if self._state is not OVER:
            self._leave(verdict)

    def close(self, why: str, outcome: Outcome = Outcome.CLOSED) -> None:
        """See L{ISession.close}."""
        if self._state not in _ENDING:
            self._leave(Verdict(outcome, why))

    def done(self) -> None:
        """See L{ISession.done}."""
        if self._state in _ENDING:
            return
        verdict = Verdict(Outcome.PASSED)
        if self._legs[CLIENT].silent and self._legs[SERVER].silent:
            self._finish(verdict)
        else:
            self._leave(verdict)

    def secure(
        self,
        side: Side,
        hello: bytes = b"",
        *,
        name: str = "",
        alpn: Sequence[str] = (),
        terms: Terms | None = None,
        accept: Collection[Invalid] = (),
        like: Agreed | None = None,
        trusted: bool = True,
        resume: Agreed | None = None,
    ) -> Deferred[Agreed]:
        """See L{ISession.secure}."""
        if self._state in _ENDING:
            return Deferred()
        if self._inspection.has_unread(side):
            raise Denied(f"the {side.value} sent plaintext after it had agreed to TLS")
        later = partial(self.equipment.clock.callLater, 0)
        secured = self._legs[side].secure(self, later)
        upstream = self._approach.upstream
        reached = self.server if upstream is None else upstream.address
        whom = Whom(self.client.host, str(reached), self.service, name or reached.host, tuple(alpn))
        accepted = frozenset(accept)
        asked = Asked(side, hello, name, whom, terms or TERMS, accepted, like, trusted, resume)
        equipment = self.equipment
        handshake = Handshake(asked, secured, equipment.credentials(self.policy), equipment.turns)
        return guard.watched(handshake.start(self.after), self, equipment.clock)

    def probe(
        self, *, name: str = "", alpn: Sequence[str] = (), terms: Terms | None = None
    ) -> Deferred[Agreed]:
        """See L{ISession.probe}."""
        if self._state in _ENDING:
            return Deferred()
        equipment, server = self.equipment, self.server
        whom = Whom(self.client.host, str(server), self.service, name or server.host, tuple(alpn))
        probe = Probe(equipment, equipment.credentials(self.policy), whom, terms or TERMS)
        approach = self._approach
        asked = probe.ask(approach.targets, approach.origin.with_port(0), name)
        return guard.watched(asked, self, equipment.clock)

    def cut(self, side: Side) -> bool:
        """See L{ISession.cut}."""
        return self._legs[side].cut

    def protected(self, side: Side) -> bool:
        """See L{ISession.protected}."""
        return self._legs[side].protected

    def expect(
        self,
        side: Side,
        address: Address,
        service: str | Callable[[ISession], IInspector] | None,
    ) -> Deferred[Any]:
        """See L{ISession.expect}."""
        if self._state in _ENDING:
            return guard.promise()
        upstream = self._approach.upstream
        reached = upstream.address if upstream is not None else self.server
        initiator = self.client if side is CLIENT else reached
        expected = self._home.related.expect(self, side, initiator.host, address, service)
        return self.watched(expected)

    def dial(
        self, side: Side, address: Address, service: str | Callable[[ISession], IInspector]
    ) -> Deferred[Address]:
        """See L{ISession.dial}."""
        if self._state in _ENDING:
            return guard.promise()
        if address.host not in self.peers:
            return self.watched(fail(Denied(f"{address} is neither peer's address")))
        known_as = self.server if side is CLIENT else self.source
        source = Origin(Address(known_as.host, 0))
        try:
            return self._home.related.dial(self, side, address, source, service)
        except (Denied, Unreachable):
            return self.watched(fail())

    envelope = NO_ENVELOPE
    tools = None

    def keeps(self, service: str) -> bool:
        """See L{ISession.keeps}."""
        return keeps(self.policy, service)

    def stack(self, service: str, sink: Any, envelope: Envelope = NO_ENVELOPE) -> Body:
        """See L{ISession.stack}."""
        body = stack(self, self.policy, service, sink, envelope)
        if self._state in _ENDING:
            body.cancel()
        elif not body.stacked.closed:
            self._stacked |= {body.stacked}
        return body

    def release(self) -> None:
        """See L{ISession.release}."""
        self._released = True
        if self._legs[SERVER].wire is not None:  # else as soon as it is there
            self._join()

    def hand_over(self, service: str, unread: Mapping[Side, bytes]) -> None:
        """See L{ISession.hand_over}."""
        if self._state in _ENDING:
            return
        chosen = inspecting(self.policy, service)
        assert chosen.maker is not None
        self.settings, self.shared = chosen.settings, chosen.shared
        self._written = chosen.written
        present = chosen.maker.make(cast(ISession, self))
        self._inspection.follow(present, unread)
        for leg in self._legs.values():
            # What a former one awaits does not matter any more, be it that it has started.
            leg.gate.open(reason.DECIDING | reason.STARTING)
        started = self._inspection.started(self)
        if started is None:
            self._give(present)
            return
        if present is self._inspection.present:  # else it has handed over as well
            for leg in self._legs.values():
                leg.gate.shut(reason.STARTING)
        started.addCallback(self._handed_over, present)
        started.addErrback(guard.failed, self)

    def _handed_over(self, _: Any, present: IInspector) -> None:
        self._give(present)
        if self._state not in _ENDING and present is self._inspection.present:
            for leg in self._legs.values():
                leg.gate.open(reason.STARTING)

    def _give(self, present: IInspector) -> None:
        """What former inspectors have not used is C{present}'s, unless that hands over as well."""
        inspection = self._inspection
        for side, leg in self._legs.items():
            if leg.wire is None:
                continue
            unread = inspection.take_unread(side) if present is inspection.present else b""
            if unread:
                self.wire_received(side, unread)
            if leg.ended and present is inspection.present:
                self.wire_ended(side)

    def _join(self) -> None:
        """Let each wire send what it reads to the other one, if both are plain."""
        client, server = self._legs[CLIENT].wire, self._legs[SERVER].wire
        if isinstance(client, Wire) and isinstance(server, Wire):
            join(client, server)
            if self.equipment.passages.asked:
                gates = self._legs[CLIENT].gate, self._legs[SERVER].gate
                legs = Legs(self.equipment.poller, (client, server), gates)
                self._passage = self.equipment.passages.begin(self, legs)
        else:
            self._passage = self.equipment.passages.stays("TLS on a leg")

    # What the kernel's passage asks and tells

    def told(self) -> Told:
        """See L{Passenger.told}."""
        upstream = self._approach.upstream
        assert upstream is not None
        identity, limits = self.identity, self.policy.services[self.service].limits
        interfaces = identity.rule.interfaces if identity.rule is not None else ()
        return Told(
            *(self.id, self.service, self.client, self.server, upstream, self.records.started),
            until=self.records.started + limits.total_seconds if limits.total_seconds else 0.0,
            idle=limits.idle_seconds,
            denied=self.records.denied,
            parent=identity.parent,
            interface=next(iter(interfaces), ""),
            sent=(self._legs[SERVER].sent, self._legs[CLIENT].sent),
        )

    def carried(self, verdict: Verdict) -> None:
        """See L{Passenger.carried}."""
        self.active = self.equipment.ticker.wake()
        self._finish(verdict)

    def left(self) -> None:
        """See L{Passenger.left}."""
        self.records.hand_on()
        self._finish(Verdict(Outcome.CLOSED, "the gateway was stopped"))

    # What the operator asks

    def snapshot(self) -> Snapshot:
        """See L{Running.snapshot<gateway.admission.register.Running>}."""
        carried_there, carried_back = self._passage.bytes
        return Snapshot(
            self.identity,
            KERNEL if self._passage.carries else self._state.value,
            self.records.started,
            max(0.0, self.equipment.ticker.now - self.last),
            carried_there + self._legs[SERVER].sent,
            carried_back + self._legs[CLIENT].sent,
        )

    def story(self) -> Story:
        """See L{Running.story<gateway.admission.register.Running>}."""
        upstream = self._approach.upstream
        ends = (None, None) if upstream is None else (upstream.address, upstream.source)
        return Story(
            self.snapshot(),
            self.policy,
            self._legs[CLIENT].story(self.client, self.server),
            self._legs[SERVER].story(*ends),
            upstream=upstream,
            inspector=type(self._inspection.present),
            about=self._inspection.about(),
            limits=self._patience.running,
            denied=self.records.denied,
            announced=0 if self._announced is None else self._announced.count,
            released=self._passage.released,
            verdict="" if self._verdict is None else self._verdict.outcome.value,
        )

    def kill(self, why: str) -> None:
        """See L{Running.kill<gateway.admission.register.Running>}."""
        if self._state is OVER:
            return
        if not self._passage.holds:  # else the carrier resets both
            for leg in self._legs.values():
                leg.reset()
        leaving = self._verdict if self._state is LEAVING else None
        self._finish(leaving or Verdict(Outcome.CLOSED, why))

    # What the approach tells

    def server_came(self, sock: Socket) -> None:
        """The server is there; whoever asked has not heard of it yet."""
        equipment = self.equipment
        self._patience.connected()
        self._legs[SERVER].attach(Wire(equipment.poller, equipment.ticker, sock, SERVER, self))
        self._state = OPEN
        self.active = equipment.ticker.now
        self._send_early()
        if self._released:
            self._join()

    def _send_early(self) -> None:
        """What the inspector sent to the server before there was one."""
        server = self._legs[SERVER]
        if not server.early:
            return
        if server.catch_up():
            self._fill(SERVER)
        if self._state not in _ENDING and server.flushed:
            self._legs[CLIENT].gate.open(reason.SERVER_FULL)
            server.drained(self)
        if server.ending_early:
            self.end(SERVER)

    def server_missed(self) -> None:
        """There is none; whoever asked has not heard of that yet."""
        self._patience.connected()
        self._state = ALONE

    def server_told(self) -> None:
        """Whoever asked for the server has heard what came of it."""
        if self._state is ALONE or self._state is OPEN:
            self._legs[CLIENT].gate.open(reason.CONNECTING)
        if self._state is OPEN:
            self._legs[SERVER].gate.open(reason.CONNECTING)

    def give_up(self, error: Unreachable | Insecure) -> None:
        """The inspector did not handle it."""
        if self._state not in _ENDING:
            missed = isinstance(error, Unreachable)
            why = f"server unreachable: {error}" if missed else str(error)
            self._finish(Verdict(Outcome.FAILED, why))

    # What the wires tell

    def wire_received(self, side: Side, data: bytes) -> None:
        """Tell the inspector; or relay, after a release over TLS; or discard, when leaving."""
        if self._state in _ENDING:
            return
        self._speaking = side
        try:
            if self._released:
                self.send(side.other, data)
            else:
                asked = self._inspection.present
                decision = self._inspection.received(self, side, data)
                if decision is not None:
                    self._await(asked, side, decision)
        finally:
            self._speaking = None

    def wire_ended(self, side: Side) -> None:
        """Tell the inspector, and see whether that was all."""
        if self._released:
            self.end(side.other)
        elif self._state not in _ENDING:
            asked = self._inspection.present
            decision = self._inspection.ended(self, side)
            if decision is not None:
                self._await(asked, side, decision)
            alone = self._state is ALONE and not self._deciding
            if alone and self._legs[SERVER].ending_early:
                # Nobody to talk to, nothing to connect for.
                self.end(CLIENT)
        self._complete()

    @property
    def _deciding(self) -> int:
        return self._legs[CLIENT].gate.reasons & reason.DECIDING

    def wire_lost(self, side: Side, error: OSError) -> None:
        """Pass the reset on, unless the inspector has something to say to that."""
        if self._state is OVER:
            return
        if self._verdict is not None:  # leaving: the last words were not heard
            self._finish(self._verdict)
            return
        verdict = _lost(side, error)
        self._legs[side].reset()
        self._verdict = verdict  # unless the inspector wants another one
        decision = None if self._released else self._inspection.lost(self, side, verdict)
        if decision is None:
            self._lose(None, verdict)
        else:
            decision.addCallbacks(
                self._lose, guard.failed, callbackArgs=(verdict,), errbackArgs=(self,)
            )

    def _lose(self, _: Any, verdict: Verdict) -> None:
        """The inspector has nothing more to say to that."""
        if self._state not in _ENDING and self._verdict is verdict:
            self._finish(verdict)

    def wire_full(self, side: Side) -> None:
        """A released wire took more than the kernel."""
        self._legs[side.other].gate.shut(FULL[side])

    def wire_choked(self, side: Side) -> None:
        """C{side} does not read what TLS answers: it is not read either."""
        self._legs[side].gate.shut(FULL[side])

    def wire_drained(self, side: Side) -> None:
        """Whoever filled that side's buffer may be read again."""
        full = FULL[side]
        for leg in self._legs.values():
            if leg.gate.reasons & full:
                leg.gate.open(full)
        leg = self._legs[side]
        if leg.flushing:
            leg.drained(self)
        self._complete()

    # What the guard tells

    @property
    def ending(self) -> bool:
        """Whether the verdict is known."""
        return self._state in _ENDING

    def _await(self, asked: IInspector | None, side: Side, decision: Deferred[Any]) -> None:
        """Do not read C{side} before C{asked} has decided, unless that has handed over."""
        if asked is self._inspection.present:
            self._legs[side].gate.shut(reason.DECIDING)
        decision.addCallbacks(
            self._decided, guard.failed, callbackArgs=(side, asked), errbackArgs=(self,)
        )

    def _decided(self, _: Any, side: Side, asked: IInspector | None) -> None:
        if self._state not in _ENDING and asked is self._inspection.present:
            self._legs[side].gate.open(reason.DECIDING)

    def break_off(self, failure: Failure) -> None:
        """A bug: the operator gets the traceback, the peers get a reset."""
        log.failure("{session}: a bug in the inspector", failure, session=self.identity)
        if self._state is not OVER:
            self._finish(guard.BROKEN)

    # What time tells

    def ran_out(self, limit: str, seconds: float) -> None:
        """A time limit. But a session is not idle while one that it announced is not."""
        announced = self._announced
        last = self.last if announced is None else max(self.last, announced.active)
        if limit == "idle_seconds" and last > self.active:
            self.active = last
            self._patience.watch()
            return
        self._finish(Verdict(Outcome.FAILED, f"time limit: {limit} = {seconds:g}"))

    @property
    def last(self) -> float:
        """When something last happened. What the kernel has is idle when the carrier says so."""
        return self.equipment.ticker.now if self._passage.carries else self.active

    def connect_ran_out(self) -> None:
        """On to the next target, if there is one."""
        self._approach.expire()

    def lingered(self) -> None:
        """Enough of goodbyes. What was sent to its end is for the kernel to deliver."""
        assert self._verdict is not None
        for leg in self._legs.values():
            leg.close_finished()
        self._finish(self._verdict)

    # The end

    def stopping(self) -> None:
        """It may end in its own way; or go on without this process, see L{left}."""

    def stop(self) -> None:
        """The gateway stops, and has waited long enough."""
        if self._state is not OVER:
            self._finish(Verdict(Outcome.CLOSED, "the gateway was stopped"))

    def _leave(self, verdict: Verdict) -> None:
        """Send what is to be sent, then goodbye; wait a little for the peers to hear it."""
        self._approach.abandon()
        if self._passage.holds:
            self._finish(verdict)
            return
        self._state = LEAVING
        self._verdict = verdict
        self._patience.leaving()
        for leg in self._legs.values():
            leg.leave(cut=verdict.outcome is Outcome.FAILED)  # what ends with it is not whole
        self._complete()

    def _complete(self) -> None:
        """If all sides have said goodbye, and we too, it is over."""
        if self._state in _UNFINISHED or self._passage.holds:
            return
        for leg in self._legs.values():
            if not leg.over:
                return
        self._finish(self._verdict or Verdict(Outcome.PASSED))

    def _finish(self, verdict: Verdict) -> None:
        """Everything is undone, recorded and told, once."""
        if self._passage.end(verdict):  # the carrier has to say what was carried
            self._state = LEAVING
            self._verdict = verdict
            self._patience.over()
            return
        self._state = OVER
        self._verdict = verdict
        self._patience.over()
        self._approach.abandon()
        for leg in self._legs.values():
            leg.close(orderly=verdict.outcome in _ORDERLY)
        for stacked in self._stacked:
            stacked.over(verdict)
        for timer in self.timers:
            timer.cancel()
        self._inspection.closed(self, verdict)
        if self._announced is not None:
            self._announced.over(self)  # no inspector that waits for one takes it for gone before
        self._record(verdict)
        self._home.over(self)

    def _record(self, verdict: Verdict) -> None:
        carried_there, carried_back = self._passage.bytes
        self.records.flow(
            verdict,
            self.equipment.clock.seconds(),
            carried_there + self._legs[SERVER].sent,
            carried_back + self._legs[CLIENT].sent,
            self._approach.upstream,
            self._passage.released,
        )

    def forget(self, stacked: Stacked) -> None:
        """A stacked body came to its end."""
        self._stacked -= {stacked}


_ENDING = frozenset({LEAVING, OVER})
_UNFINISHED = frozenset({CONNECTING, OVER})
_ORDERLY = frozenset({Outcome.PASSED, Outcome.CLOSED})
_RESETS = frozenset({errno.EPIPE, errno.ECONNABORTED, errno.ECONNRESET, errno.ENOTCONN})


def _lost(side: Side, error: OSError) -> Verdict:
    if error.errno in _RESETS:
        return Verdict(Outcome.RESET, f"reset by the {side.value}")
    why = error.strerror or os.strerror(error.errno or 0).lower()
    return Verdict(Outcome.FAILED, f"the {side.value} was lost: {why}")

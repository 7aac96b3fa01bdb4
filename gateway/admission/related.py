"""
Related: the connections that sessions agree on inside, such as FTP's for data.

A side says that it will connect (L{Expectation}) or that it listens
(L{Dialing}). Of either comes a session of its own, or the server's side of one
that is there already (L{gateway.session.joining}).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed

from gateway.admission.register import Register
from gateway.interfaces import (
    SERVER,
    Address,
    Denied,
    IInspector,
    ISession,
    Side,
    Unreachable,
)
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.observe.identity import Identity
from gateway.observe.metrics import Refusal
from gateway.policy import connection
from gateway.policy.connection import Connection
from gateway.policy.limits import ServiceLimits
from gateway.policy.policy import Policy
from gateway.policy.service import Action, Service
from gateway.session.dialing import Dialing
from gateway.session.equipment import Equipment
from gateway.session.expectation import BACKLOG, Expectation
from gateway.session.session import Session, Treatment
from gateway.wire.connector import Origin, Reached

TCP = connection.Protocol.TCP


class Home(Protocol):
    """Where the sessions are that come of it."""

    @property
    def equipment(self) -> Equipment:
        """The tools of all."""

    def turn_away(self, sock: Socket, identity: Identity, refusal: Refusal, why: str) -> None:
        """Refuse a connection that was accepted, with a reset."""

    def begin_related(
        self,
        session: Session,
        identity: Identity,
        service: Service,
        sock: Socket,
        make: Callable[[ISession], IInspector],
        source: Address | None,
    ) -> None:
        """
        Begin the session of a connection that C{session} announced.

        @param source: where its server's side comes from; C{None}: as the service says.
        """


class Related:
    """
    All connections that were agreed on and are not there yet.

    @param register: where they are counted, as each may have a descriptor.
    """

    def __init__(self, home: Home, register: Register) -> None:
        self._home = home
        self._expected: dict[tuple[str, Address], Expectation] = {}
        self._register = register

    def find(self, initiator: str, address: Address) -> Expectation | None:
        """What the divert has brought to an ordinary listener, if somebody waits for it."""
        found = self._expected.get((initiator, address))
        return None if found is None or found.came else found

    # A side will connect

    def expect(
        self,
        session: Session,
        side: Side,
        initiator: str,
        address: Address,
        treatment: Treatment,
    ) -> Deferred[Any]:
        """See L{ISession.expect}. C{initiator} is the only host that may connect."""
        equipment, limits = self._home.equipment, _service(session).limits
        refused = self._refused(session, limits)
        if refused is not None:
            return fail(refused)
        try:
            # Marked as all that is accepted, also from servers: the leg that goes on from here
            # may have the same addresses and ports, and is to be tracked apart from this one.
            sock = self._listen(session.policy, initiator, address)
        except OSError as error:
            return fail(Unreachable(f"{address} can't be listened at: {error.strerror}"))
        if sock is not None:
            address = sockets.name_of(sock)
        expectation = self._expectation(session, side, initiator, address, sock, treatment)
        self._expected[initiator, address] = expectation
        self._enter(session, expectation)
        expectation.watch(equipment.ticker, limits.expect_seconds)
        return succeed(expectation)

    def _listen(self, policy: Policy, initiator: str, address: Address) -> Socket | None:
        """
        Listen at C{address}, unless somebody on this very host does and the
        divert will bring the connection to us all the same.
        """
        equipment = self._home.equipment
        try:
            return equipment.sockets.listen(address, equipment.listener_mark, BACKLOG)
        except OSError as error:
            rule = policy.decide(Connection(Address(initiator, 0), address, TCP, "lo"))
            if error.errno not in sockets.IN_USE or rule is None or not equipment.alone:
                raise  # it would come to any of the workers
            if policy.services[rule.service].action is not Action.INSPECT:
                raise
            return None

    def _expectation(
        self,
        session: Session,
        side: Side,
        initiator: str,
        address: Address,
        sock: Socket | None,
        treatment: Treatment,
    ) -> Expectation:
        def came(sock: Socket, client: Address, server: Address) -> None:
            assert treatment is not None
            self._begin(session, side, sock, client, server, treatment)

        def stranger(sock: Socket, client: Address, server: Address) -> None:
            identity = session.identity._replace(
                id=self._register.number(), client=client, server=server, parent=session.id
            )
            why = f"{server} was announced to {initiator} only"
            self._home.turn_away(sock, identity, Refusal.UNEXPECTED, why)

        def gone(expectation: Expectation) -> None:
            key = initiator, expectation.address
            if self._expected.get(key) is expectation:  # else another one has the same
                del self._expected[key]
            self._forget(session, expectation)

        taker = None if treatment is None else came
        equipment = self._home.equipment
        return Expectation(
            equipment.reactor,
            equipment.sockets.accept,
            initiator,
            address,
            sock,
            taker,
            stranger,
            gone,
        )

    # A side listens

    def dial(
        self, session: Session, side: Side, address: Address, source: Origin, treatment: Treatment
    ) -> Deferred[Address]:
        """
        See L{ISession.dial}. C{source} is where it comes from.

        @raise Denied: the session has as many as it may have.
        @raise Unreachable: there are no descriptors left.
        """
        equipment, limits = self._home.equipment, _service(session).limits
        refused = self._refused(session, limits)
        if refused is not None:
            raise refused

        def reached(reached: Reached) -> None:
            self._begin(session, side, reached.socket, reached.server, reached.source, treatment)

        def over(dialing: Dialing) -> None:
            self._forget(session, dialing)

        dialing = Dialing(reached, over, session)
        self._enter(session, dialing)
        reached_later = dialing.reached
        assert reached_later is not None
        dialing.watch(equipment.ticker, limits.connect_seconds)
        dialing.start(lambda *told: equipment.connector.open((address,), source, *told))
        return reached_later

    # Of both

    def _refused(self, session: Session, limits: ServiceLimits) -> Exception | None:
        """Why no more can be agreed on now. Connections that come so are not admitted as others."""
        if len(session.announced.pending) >= limits.expectations:
            return Denied(f"limits.expectations = {limits.expectations}")
        if session.announced.running >= limits.announced:
            return Denied(f"limits.announced = {limits.announced}")
        if not self._register.has_descriptors:
            return Unreachable("no file descriptors are left for it")
        return None

    def _enter(self, session: Session, pending: Any) -> None:
        self._register.announced += 1
        session.announced.pending |= {pending}

    def _forget(self, session: Session, pending: Any) -> None:
        self._register.announced -= 1
        session.announced.pending -= {pending}

    def _begin(
        self,
        session: Session,
        side: Side,
        sock: Socket,
        client: Address,
        server: Address,
        treatment: Treatment,
    ) -> None:
        """Begin the session of a connection that was agreed on and is there."""
        services = session.policy.services
        make: Callable[[ISession], IInspector] | None
        if isinstance(treatment, str):
            chosen = services[treatment]
            make = chosen.maker.make if chosen.maker is not None else None
        else:
            chosen, make = _service(session), treatment
        number = self._register.number()
        identity = Identity(number, client, server, TCP, chosen.name, None, session.id)
        if make is None:
            self._home.equipment.poller.forget(sock.fileno())  # it may be that of an attempt
            why = f"{chosen.name!r} is no inspecting service"
            self._home.turn_away(sock, identity, Refusal.NO_RULE, why)
            return
        # However the server was reached, its client knows it by this address only.
        source = Address(session.server.host, client.port) if side is SERVER else None
        self._home.begin_related(session, identity, chosen, sock, make, source)


def _service(session: Session) -> Service:
    """A session's own service, in the policy that it began with."""
    return session.policy.services[session.service]

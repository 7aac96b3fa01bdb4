"""
Admission: who may become a session.

Several limits are asked, and all sessions are entered in the L{Register
<gateway.admission.register>}. A connection that is refused gets a reset and a record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from gateway.admission.refusals import BROKEN, Refusals
from gateway.admission.register import Register, Running
from gateway.admission.related import Related
from gateway.interfaces import Address, IInspector, ISession, Outcome, Verdict
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.observe.identity import Identity
from gateway.observe.log import PrintableLogger
from gateway.observe.metrics import Refusal
from gateway.policy import connection
from gateway.policy.connection import Connection
from gateway.policy.handshake import Handshake
from gateway.policy.policy import Policy
from gateway.policy.service import Action, Service, Target
from gateway.session.equipment import Equipment
from gateway.session.session import Session

log = PrintableLogger()

TCP = connection.Protocol.TCP
UDP = connection.Protocol.UDP


_LIMITS = (
    (Refusal.CLIENT_LIMIT, "limits.sessions_per_client = {} (gateway.toml)"),
    (Refusal.SERVICE_LIMIT, "limits.sessions = {} of the service"),
    (Refusal.CLIENT_LIMIT, "limits.sessions_per_client = {} of the service"),
)
"""What is said of each limit that is reached."""


class Admission:
    """
    Admits connections, or refuses them.

    @param policy: the policy for new sessions. Assign another one to reload.
    @param descriptors: how many descriptors sessions may use together.
    @ivar register: the sessions that are running.
    @ivar related: the connections that they have announced.
    """

    def __init__(self, equipment: Equipment, policy: Policy, descriptors: int) -> None:
        self.equipment = equipment
        self.register = Register(equipment, policy.limits.sessions, descriptors)
        self.related = Related(self, self.register)
        self._policy = policy
        self._refusals = Refusals(equipment)

    @property
    def policy(self) -> Policy:
        """The policy for new sessions."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy = policy
        self.register.most = policy.limits.sessions

    def admit(
        self,
        sock: Socket,
        client: Address,
        server: Address,
        interface: str | None,
        port: int,
        held: Socket | None = None,
    ) -> bool:
        """
        A connection was accepted: begin a session, or refuse it with a reset.

        @param interface: the one that the connection came in by, if rules name it.
        @param port: the listener's own port.
        @param held: the connection to the server, if the client has shaken hands with it.
        @return: whether there is a session.
        """
        if self.register.announced:
            expectation = self.related.find(client.host, server)
            if expectation is not None:
                _reset(held)
                expectation.take(sock, client, server)
                return True
        identity, service = self.identify(client, server, TCP, interface, port)
        if service is not None and service.handshake is Handshake.THROUGH:
            shaken = Handshake.ACCEPTED if held is None else Handshake.THROUGH
            identity = identity._replace(handshake=shaken.value)
        refused = self.refusal(identity, service)
        if refused is not None:
            _reset(held)
            self.turn_away(sock, identity, *refused)
            return False
        assert service is not None and service.maker is not None
        make: Any = service.maker.make
        targets = _with_ports(service.targets, server.port) if service.targets else ()
        if identity.handshake:
            self.equipment.metrics.shaken(service.name, identity.handshake)
        self.begin(Session(self, self._policy, service, identity, sock, targets, make, held))
        return True

    def identify(
        self,
        client: Address,
        server: Address,
        protocol: connection.Protocol,
        interface: str | None,
        port: int,
    ) -> tuple[Identity, Service | None]:
        """
        Decide, as the kernel did. A connection to the listener itself
        (C{port}) was not diverted, so that no rule is for it.
        """
        policy = self._policy
        rule = None
        if server.port != port or not self.equipment.sockets.is_ours(server.host):
            rule = policy.decide(Connection(client, server, protocol, interface))
        service = None if rule is None else policy.services[rule.service]
        name = "" if service is None else service.name
        return Identity(self.register.number(), client, server, protocol, name, rule), service

    def refusal(self, identity: Identity, service: Service | None) -> tuple[Refusal, str] | None:
        """Why this can't become a session, if it can't."""
        if service is None and self.equipment.sockets.is_ours(identity.server.host):
            return Refusal.DIRECT, "it was made to the gateway itself, not diverted to it"
        if service is None or service.action is not Action.INSPECT:
            return Refusal.NO_RULE, "no rule of the present policy has it inspected"
        return self._over_limit(identity, service)

    def permits(self, session: Session, address: Address) -> bool:
        """
        Whether the session's client could connect to C{address} by itself, and be inspected
        by the same service. To the gateway's own addresses it could not.
        """
        identity = session.identity
        interfaces = identity.rule.interfaces if identity.rule is not None else ()
        asked = Connection(session.client, address, TCP, next(iter(interfaces), None))
        rule = session.policy.decide(asked)
        return (
            rule is not None
            and rule.service == session.service
            and not self.equipment.sockets.is_ours(address.host)
        )

    def _over_limit(self, identity: Identity, service: Service) -> tuple[Refusal, str] | None:
        own, each = service.limits, self._policy.limits.sessions_per_client
        most = each, own.sessions, own.sessions_per_client
        reached = self.register.take(identity, *most)
        if reached < 0:
            return None
        refusal, where = _LIMITS[reached]
        return refusal, where.format(most[reached])

    def turn_away(self, sock: Socket, identity: Identity, refusal: Refusal, why: str) -> None:
        """Refuse a connection that was accepted, with a reset."""
        sockets.reset(sock)
        self.refuse(identity, refusal, why)

    def refuse(self, identity: Identity, refusal: Refusal, why: str) -> None:
        """Record a connection that became no session."""
        self._refused(identity, refusal, Verdict(Outcome.DENIED, why))

    def _refused(self, identity: Identity, refusal: Refusal, verdict: Verdict) -> bool:
        most = self._policy.audit.refused_per_minute
        return self._refusals.add(identity, refusal, verdict, most)

    def not_admitted(self, client: Address, server: Address, protocol: connection.Protocol) -> None:
        """
        Record a connection of which nobody knows what to do with it, since looking at it
        failed, in an C{except} clause.
        """
        identity = Identity(self.register.number(), client, server, protocol, "")
        if self._refused(identity, Refusal.BROKEN, BROKEN):
            log.failure("{client} -> {server} was not admitted", client=client, server=server)

    def begin(self, session: Session) -> None:
        """Count a session, and start it."""
        self.register.enter(session)
        try:
            session.start()
        except Exception:  # it is there, and has to have an end
            session.break_off(Failure())  # type: ignore[no-untyped-call]

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
        related = Session(self, session.policy, service, identity, sock, (), make)
        if source is not None:
            related.come_from(source)
        session.adopt(related)
        self.begin(related)

    def over(self, session: Running) -> None:
        """A session is over."""
        self.register.leave(session)

    def stop(self) -> None:
        """End all sessions now."""
        self._refusals.report()
        self.register.stop()
        self.equipment.senders.close()


def _reset(held: Socket | None) -> None:
    if held is not None:
        sockets.reset(held)


def _with_ports(targets: tuple[Target, ...], port: int) -> tuple[Target, ...]:
    """Where the policy names no port, the one that the client wanted."""
    return tuple(one if one.port is not None else one._replace(port=port) for one in targets)

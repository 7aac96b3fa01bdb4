"""
Sessions: all that are running, and who may become one.

Everything that is counted over several sessions is counted here and nowhere
else: when there are several processes one day, this is the place to share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from gateway.admission.refusals import BROKEN, Refusals
from gateway.admission.related import Related
from gateway.interfaces import Address, IInspector, ISession, Outcome, Verdict
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.observe.identity import Identity
from gateway.observe.log import PrintableLogger
from gateway.observe.metrics import Refusal
from gateway.policy import connection
from gateway.policy.connection import Connection
from gateway.policy.policy import Policy
from gateway.policy.service import Action, Service, Target
from gateway.session.equipment import Equipment
from gateway.session.session import Session

log = PrintableLogger()

TCP = connection.Protocol.TCP
UDP = connection.Protocol.UDP

DESCRIPTORS_EACH = 2
"""Descriptors of a session: one for each side. Both are reserved before accepting."""


RETRY = 1.0
"""Seconds after which a listener that waits tries again, whatever it waits for."""


class Running(Protocol):
    """A session, of streams or of datagrams."""

    identity: Identity

    def stopping(self) -> None:
        """The gateway stops soon: end, if there is no end of its own to wait for."""

    def stop(self) -> None:
        """End now."""


class Waiting(Protocol):
    """A listener that waits for room."""

    def resume(self) -> None:
        """There is room again."""


class Sessions:
    """
    The running sessions.

    @param policy: the policy for new sessions. Assign another one to reload.
    @param descriptors: how many descriptors sessions may use together.
    """

    def __init__(self, equipment: Equipment, policy: Policy, descriptors: int) -> None:
        self.equipment = equipment
        self.policy = policy
        self.running: dict[int, Running] = {}
        self.descriptors = descriptors
        self.related = Related(self)
        self._refusals = Refusals(equipment)
        self._by_client: dict[str, int] = defaultdict(int)
        self._by_service: dict[str, int] = defaultdict(int)
        self._by_both: dict[tuple[str, str], int] = defaultdict(int)
        self._waiting: set[Waiting] = set()
        self._emptied: Deferred[None] | None = None
        # Unique in this process, nearly so among restarts, and exact as a JavaScript number.
        self._numbers = count(int(equipment.clock.seconds()) << 20)

    # Room

    @property
    def room(self) -> bool:
        """Whether one more session can be accepted. If not, connections wait in the kernel."""
        return (
            len(self.running) < self.policy.limits.sessions
            and self.has_descriptors
            and not self.equipment.audit.refusing
        )

    @property
    def has_descriptors(self) -> bool:
        """Whether there are enough for one more session."""
        return self._used + DESCRIPTORS_EACH <= self.descriptors

    @property
    def _used(self) -> int:
        return DESCRIPTORS_EACH * len(self.running) + self.related.count

    def wait(self, listener: Waiting) -> None:
        """Resume C{listener} as soon as there is room."""
        self._waiting.add(listener)
        self.equipment.ticker.after(RETRY, self)

    def check_time(self) -> None:
        """Whoever waits may do so for something that nobody tells us of, such as memory."""
        self.give_room()
        if self._waiting:
            self.equipment.ticker.after(RETRY, self)

    def give_room(self) -> None:
        """Some room may have come: those who wait may go on."""
        if self._waiting and self.room:
            waiting, self._waiting = self._waiting, set()
            for listener in waiting:
                listener.resume()

    # Admission

    def admit(
        self,
        sock: Socket,
        client: Address,
        server: Address,
        interface: str | None,
        port: int,
    ) -> None:
        """
        A connection was accepted: begin a session, or refuse it with a reset.

        @param interface: the one that the connection came in by, if rules name it.
        @param port: the listener's own port.
        """
        if self.related.count:
            expectation = self.related.find(client.host, server)
            if expectation is not None:
                expectation.take(sock, client, server)
                return
        identity, service = self.identify(client, server, TCP, interface, port)
        refused = self.refusal(identity, service)
        if refused is not None:
            self.turn_away(sock, identity, *refused)
            return
        assert service is not None and service.maker is not None
        make = cast(Any, service.maker.make)
        targets = _with_ports(service.targets, server.port) if service.targets else ()
        self.begin(Session(self, self.policy, service, identity, sock, targets, make))

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
        policy = self.policy
        rule = None
        if server.port != port or not self.equipment.sockets.is_ours(server.host):
            rule = policy.decide(Connection(client, server, protocol, interface))
        service = None if rule is None else policy.services[rule.service]
        name = "" if service is None else service.name
        return Identity(next(self._numbers), client, server, protocol, name, rule), service

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
        host, name, limits = identity.client.host, service.name, service.limits
        most = self.policy.limits.sessions_per_client
        if most and self._by_client.get(host, 0) >= most:
            return Refusal.CLIENT_LIMIT, f"limits.sessions_per_client = {most} (gateway.toml)"
        most = limits.sessions
        if most and self._by_service.get(name, 0) >= most:
            return Refusal.SERVICE_LIMIT, f"limits.sessions = {most} of the service"
        most = limits.sessions_per_client
        if most and self._by_both.get((host, name), 0) >= most:
            return Refusal.CLIENT_LIMIT, f"limits.sessions_per_client = {most} of the service"
        return None

    def turn_away(self, sock: Socket, identity: Identity, refusal: Refusal, why: str) -> None:
        """Refuse a connection that was accepted, with a reset."""
        sockets.reset(sock)
        self.refuse(identity, refusal, why)

    def refuse(self, identity: Identity, refusal: Refusal, why: str) -> None:
        """Record a connection that became no session."""
        self._refused(identity, refusal, Verdict(Outcome.DENIED, why))

    def _refused(self, identity: Identity, refusal: Refusal, verdict: Verdict) -> bool:
        most = self.policy.audit.refused_per_minute
        return self._refusals.add(identity, refusal, verdict, most)

    def not_admitted(self, client: Address, server: Address, protocol: connection.Protocol) -> None:
        """
        Record a connection of which nobody knows what to do with it, since looking at it
        failed, in an C{except} clause.
        """
        identity = Identity(next(self._numbers), client, server, protocol, "")
        if self._refused(identity, Refusal.BROKEN, BROKEN):
            log.failure("{client} -> {server} was not admitted", client=client, server=server)

    def number(self) -> int:
        """The id of the next session."""
        return next(self._numbers)

    def enter(self, session: Running) -> None:
        """Count a session that begins."""
        identity = session.identity
        host, service = identity.client.host, identity.service
        self.running[identity.id] = session
        self._by_client[host] += 1
        self._by_service[service] += 1
        self._by_both[host, service] += 1
        self.equipment.metrics.started(service, identity.rule)

    def begin(self, session: Session) -> None:
        """Count a session, and start it."""
        self.enter(session)
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
        identity = session.identity
        if self.running.pop(identity.id, None) is None:
            return
        host, service = identity.client.host, identity.service
        _decrement(self._by_client, host)
        _decrement(self._by_service, service)
        _decrement(self._by_both, (host, service))
        if self._waiting:
            self.give_room()
        if self._emptied is not None and not self.running:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    # The end

    def stopping(self) -> None:
        """Tell all sessions that the gateway stops soon."""
        for session in tuple(self.running.values()):
            session.stopping()

    def drain(self) -> Deferred[None]:
        """Fires when no session is left."""
        if not self.running:
            return succeed(None)
        if self._emptied is None:
            self._emptied = Deferred()
        return self._emptied

    def stop(self) -> None:
        """End all sessions now."""
        self._waiting.clear()
        self._refusals.report()
        for session in tuple(self.running.values()):
            session.stop()


def _with_ports(targets: tuple[Target, ...], port: int) -> tuple[Target, ...]:
    """Where the policy names no port, the one that the client wanted."""
    return tuple(one if one.port is not None else one._replace(port=port) for one in targets)


def _decrement(counts: dict[Any, int], key: Any) -> None:
    """Count down, and forget what is at zero, so that the counts do not grow for ever."""
    left = counts[key] - 1
    if left > 0:
        counts[key] = left
    else:
        del counts[key]

"""
DatagramSession: the datagrams between one client's port and one server's port.

Two connected sockets stand for it: one bound to the server's address and connected
to the client, one bound to the client's address and connected to the server. The
kernel brings every datagram but the first to one of them. Where sessions are brief
(C{brief} of L{IDatagramInspector}) the former is made when the client sends its second
datagram. A datagram that can't be sent at once is dropped, as any router would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.agreement import Agreed, Insecure
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    IDatagramInspector,
    IDatagramSession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.observe.audit import NOTHING
from gateway.observe.identity import Identity, Upstream
from gateway.observe.log import PrintableLogger
from gateway.observe.snapshot import Snapshot
from gateway.observe.story import LegStory, Story
from gateway.policy.policy import Policy
from gateway.policy.service import Service
from gateway.policy.tls import Terms
from gateway.session import guard
from gateway.session.datagram_leg import BorrowedLeg, DatagramLeg
from gateway.session.equipment import Equipment
from gateway.session.inspection import about
from gateway.session.patience import Patience
from gateway.session.probe import Probe
from gateway.session.timer import Timer
from gateway.tls.credentials import Whom
from gateway.wire.connector import origin

log = PrintableLogger()

ALONE, OPEN = "alone", "open"
"""States, in the words of L{gateway.session.session.State}."""

TERMS = Terms()


class Home(Protocol):
    """Who is told that a session is over."""

    def over(self, session: Any) -> None:
        """It is."""


@implementer(IDatagramSession)
class DatagramSession:
    """
    One session. As L{gateway.session.session.Session} it has many methods, since everybody else
    talks to it.

    @param homes: who is told that it is over.
    """

    def __init__(
        self,
        equipment: Equipment,
        policy: Policy,
        service: Service,
        identity: Identity,
        homes: Sequence[Home],
    ) -> None:
        assert service.maker is not None
        self.identity = identity
        self.timers: frozenset[Timer] = frozenset()
        self._homes = homes
        self._service = service
        self._policy = policy
        self._equipment = equipment
        self._started = equipment.clock.seconds()
        self.active = equipment.ticker.wake()
        self._patience = Patience(equipment.ticker, service.limits, self)
        self._legs: dict[Side, DatagramLeg | BorrowedLeg] = {}
        self._upstream: Upstream | None = None
        self._released = False
        self._denied = 0
        self._verdict: Verdict | None = None
        self._inspector: IDatagramInspector | None = None

    def start(self, data: bytes) -> None:
        """The client's first datagram has come."""
        assert self._service.maker is not None
        inspector = self._service.maker.make(cast(Any, self))
        try:
            brief = getattr(inspector, "brief", False)
            self._legs[CLIENT] = self._borrowed() if brief else self._own()
        except OSError as error:
            self._finish(Outcome.FAILED, f"client unreachable: {error.strerror}")
            return
        self._patience.watch()
        self._inspector = cast(IDatagramInspector, inspector)
        guard.call(self, inspector.started)
        self.received(CLIENT, data)

    def _borrowed(self) -> BorrowedLeg:
        """@raise OSError: there is no socket, and none can be made."""
        identity = self.identity
        return BorrowedLeg(self._equipment.senders, identity.server, identity.client)

    def _own(self) -> DatagramLeg:
        """@raise OSError: it can't be opened."""
        equipment, identity = self._equipment, self.identity
        sock = sockets.open_datagrams(identity.server, identity.client, equipment.listener_mark)
        return DatagramLeg(equipment.poller, sock, CLIENT, self)

    def again(self, data: bytes) -> None:
        """
        One more datagram of the client has come to the listener: it was underway when the session
        began, or there is no socket that would hear it.
        """
        borrowed = self._legs.get(CLIENT)
        if isinstance(borrowed, BorrowedLeg):
            try:
                own = self._own()
            except OSError:
                pass  # it goes on without
            else:
                own.sent = borrowed.sent
                self._legs[CLIENT] = own
        self.received(CLIENT, data)

    # What the inspector asks

    @property
    def id(self) -> int:
        """See L{IDatagramSession}."""
        return self.identity.id

    @property
    def service(self) -> str:
        """See L{IDatagramSession}."""
        return self._service.name

    @property
    def client(self) -> Address:
        """See L{IDatagramSession}."""
        return self.identity.client

    @property
    def server(self) -> Address:
        """See L{IDatagramSession}."""
        return self.identity.server

    @property
    def settings(self) -> Any:
        """See L{IDatagramSession}."""
        return self._service.settings

    @property
    def shared(self) -> Any:
        """See L{IDatagramSession}."""
        return self._service.shared

    @property
    def now(self) -> float:
        """See L{IDatagramSession}."""
        return self._equipment.ticker.wake()

    def date(self) -> float:
        """See L{IDatagramSession}."""
        return self._equipment.clock.seconds()

    def after(self, seconds: float, call: Callable[[], Any]) -> Timer:
        """See L{IDatagramSession.after}."""
        timer = Timer(self, self._equipment.ticker, seconds, call)
        if self.ending:
            timer.cancel()
        return timer

    def connect(self) -> Deferred[Address]:
        """See L{IDatagramSession.connect}."""
        if self.ending:
            return Deferred()
        if SERVER in self._legs:
            raise RuntimeError("the session was asked to connect twice")
        server = self._target
        try:
            leg, kept = self._open(server)
        except OSError as error:
            missed: Deferred[Address] = fail(Unreachable(str(error.strerror)))
            return guard.watched(missed, self, self._equipment.clock)
        self._legs[SERVER] = DatagramLeg(self._equipment.poller, leg, SERVER, self)
        source = self.identity.client if kept else sockets.name_of(leg)
        self._upstream = Upstream(server, source, kept, 0.0)
        reached = succeed(server)
        self._equipment.heed.give(reached, self)
        return reached

    @property
    def _target(self) -> Address:
        """Where the server is."""
        server, targets = self.identity.server, self._service.targets
        return Address(targets[0].host, targets[0].port or server.port) if targets else server

    def _open(self, server: Address) -> tuple[Socket, bool]:
        """The server's leg, and whether it has the client's port."""
        wanted = origin(self._service.source, self.identity.client)
        source, mark = wanted.towards(server), self._equipment.upstream_mark
        if source is None or not source.port:
            return sockets.open_datagrams(source, server, mark), False
        try:
            return sockets.open_datagrams(source, server, mark), True
        except OSError as error:
            if wanted.strict or error.errno not in sockets.IN_USE:
                raise
        self._equipment.metrics.fallback(self._service.name)
        return sockets.open_datagrams(Address(source.host, 0), server, mark), False

    def send(self, side: Side, data: bytes | memoryview) -> None:
        """See L{IDatagramSession.send}."""
        leg = self._legs.get(side)
        if leg is not None:
            leg.send(data)

    def release(self) -> None:
        """See L{IDatagramSession.release}."""
        self._released = True

    def deny(self, reason: str, reply: bytes = b"") -> None:
        """See L{IDatagramSession.deny}."""
        self._finish(Outcome.DENIED, reason, reply)

    def close(self, reason: str, outcome: Outcome = Outcome.CLOSED) -> None:
        """See L{IDatagramSession.close}."""
        self._finish(outcome, reason)

    def probe(
        self, *, name: str = "", alpn: Sequence[str] = (), terms: Terms | None = None
    ) -> Deferred[Agreed]:
        """See L{IDatagramSession.probe}."""
        if self.ending:
            return Deferred()
        equipment, server = self._equipment, self.identity.server
        whom = Whom(self.client.host, str(server), self.service, name or server.host, tuple(alpn))
        probe = Probe(equipment, equipment.credentials(self._policy), whom, terms or TERMS)
        wanted = origin(self._service.source, self.client).with_port(0)
        return guard.watched(probe.ask((self._target,), wanted, name), self, self._equipment.clock)

    def record(
        self,
        event: str,
        gateway: Mapping[str, Any] = NOTHING,
        denied_by: str = "",
        **fields: Any,
    ) -> None:
        """See L{IDatagramSession.record}."""
        if not self._homes:
            return
        if denied_by:
            place = self._service.written.get(denied_by, denied_by)
            self._denied += 1
            self._equipment.metrics.denied(self.service, event, place)
            gateway = {**gateway, "denied_by": place}
        self._equipment.audit.event(event, self.identity, fields, gateway)

    def record_prepared(self, event: str, fields: str, gateway: str) -> None:
        """See L{IDatagramSession.record_prepared}."""
        if self._homes:
            self._equipment.audit.prepared(event, self.identity, fields, gateway)

    def hit(self, place: str) -> None:
        """See L{IDatagramSession.hit}."""
        if self._homes:
            self._equipment.metrics.hit(self.service, self._service.written.get(place, place))

    # What the legs tell

    def received(self, side: Side, data: bytes | memoryview) -> None:
        """C{side} sent a datagram."""
        if self.ending:
            return
        self.active = self._equipment.ticker.now
        if self._released:
            self.send(side.other, data)
        elif self._inspector is not None:
            decision = guard.call(self, self._inspector.received, side, bytes(data))
            if decision is not None:
                decision.addErrback(guard.failed, self)

    def lost(self, side: Side, error: OSError) -> None:
        """
        An ICMP error came from C{side}, or the kernel can't send there.

        Nothing is certain in UDP: a server that was not there may come back,
        and a datagram that is too big says nothing about the next one. Only
        a refusal ends the session, so that the client's next datagram begins
        a new one.
        """
        if isinstance(error, ConnectionRefusedError):
            self._finish(Outcome.RESET, f"port unreachable, says the {side.value}'s host")

    # What the operator asks

    def snapshot(self) -> Snapshot:
        """See L{Running.snapshot<gateway.admission.register.Running>}."""
        legs = self._legs
        return Snapshot(
            self.identity,
            OPEN if SERVER in legs else ALONE,
            self._started,
            max(0.0, self._equipment.ticker.now - self.active),
            legs[SERVER].sent if SERVER in legs else 0,
            legs[CLIENT].sent if CLIENT in legs else 0,
        )

    def story(self) -> Story:
        """See L{Running.story<gateway.admission.register.Running>}."""
        upstream = self._upstream
        ends = (None, None) if upstream is None else (upstream.address, upstream.source)
        snapshot = self.snapshot()
        return Story(
            snapshot,
            self._policy,
            LegStory(self.client, self.server, sent=snapshot.to_client),
            LegStory(ends[0], ends[1], sent=snapshot.to_server),
            upstream=upstream,
            inspector=type(self._inspector),
            about=about(self._inspector),
            limits=self._patience.running,
            denied=self._denied,
        )

    def kill(self, why: str) -> None:
        """See L{Running.kill<gateway.admission.register.Running>}. UDP knows no reset."""
        self._finish(Outcome.CLOSED, why)

    # What time tells

    def ran_out(self, limit: str, seconds: float) -> None:
        """To be idle is the ordinary end: UDP has no other."""
        if limit == "idle_seconds":
            self._finish(Outcome.PASSED, f"idle for {seconds:g} seconds")
        else:
            self._finish(Outcome.FAILED, f"time limit: {limit} = {seconds:g}")

    def connect_ran_out(self) -> None:
        """To connect takes no time in UDP."""

    def lingered(self) -> None:
        """Nobody says goodbye in UDP."""

    # The end

    @property
    def ending(self) -> bool:
        """Whether its verdict is known already."""
        return self._verdict is not None

    def give_up(self, error: Unreachable | Insecure) -> None:
        """The inspector did not handle it."""
        missed = isinstance(error, Unreachable)
        self._finish(Outcome.FAILED, f"server unreachable: {error}" if missed else str(error))

    def break_off(self, failure: Failure) -> None:
        """A bug."""
        log.failure("{session}: a bug in the inspector", failure, session=self.identity)
        self._finish(*guard.BROKEN)

    def stopping(self) -> None:
        """The only end of its own would be to be idle: not worth waiting for."""
        self.stop()

    def stop(self) -> None:
        """The gateway stops."""
        self._finish(Outcome.CLOSED, "the gateway was stopped")

    def _finish(self, outcome: Outcome, why: str, reply: bytes = b"") -> None:
        if self.ending:
            return
        verdict = self._verdict = Verdict(outcome, why)  # whatever becomes of the reply
        if reply:
            self.send(CLIENT, reply)
        self._patience.over()
        for timer in self.timers:
            timer.cancel()
        for leg in self._legs.values():
            leg.close()
        inspector, self._inspector = self._inspector, None
        if inspector is not None:
            guard.call(self, inspector.closed, verdict)
        self._record_flow(verdict)
        homes, self._homes = self._homes, ()
        for home in homes:
            home.over(self)

    def _record_flow(self, verdict: Verdict) -> None:
        equipment = self._equipment
        sent = {side: leg.sent for side, leg in self._legs.items()}
        to_server, to_client = sent.get(SERVER, 0), sent.get(CLIENT, 0)
        equipment.audit.flow(
            self.identity,
            verdict,
            self._started,
            equipment.clock.seconds(),
            to_server,
            to_client,
            self._upstream,
            self._denied,
        )
        equipment.metrics.ended(self.identity.service, verdict.outcome, to_server, to_client)

"""
A body of one session, on its way through the inspector of another service.

The stacked inspector sees a session like any other: what comes in is its
CLIENT, what it lets through goes to its SERVER, which is the sink. There is no
connection below it, so it can't open, secure or announce one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from gateway.agreement import Agreed, Insecure
from gateway.envelope import NO_ENVELOPE, Envelope, Readdressed
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    IBody,
    IInspector,
    IMailSink,
    ISession,
    ISink,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)
from gateway.observe.identity import Identity
from gateway.observe.log import PrintableLogger
from gateway.policy.policy import Policy
from gateway.policy.service import Service
from gateway.scanning.tools import Tools
from gateway.session import guard
from gateway.session.equipment import Equipment
from gateway.session.facilities import Facilities
from gateway.session.inspection import Inspection
from gateway.session.records import Records
from gateway.tools import may_change

log = PrintableLogger()

DEPTH = 4
"""Inspectors on top of each other, at most: a service that stacks itself comes to an end."""


class Unstackable(Exception):
    """The policy has no such service to stack, or it stacks itself."""


def inspecting(policy: Policy, service: str) -> Service:
    """
    The service of that name.

    @raise Unstackable: there is none, or it does not inspect. Of a name in settings that
        L{option<gateway.policy.settings.option>} knows as one, this is found when they are loaded.
    """
    chosen = policy.services.get(service)
    if chosen is None or chosen.maker is None:
        raise Unstackable(f"{service!r} is no inspecting service")
    return chosen


def stack(
    session: Below,
    policy: Policy,
    service: str,
    sink: ISink,
    envelope: Envelope = NO_ENVELOPE,
) -> Body:
    """
    Begin to run a body through C{service}'s inspector.

    @raise Unstackable: see there.
    """
    chosen = inspecting(policy, service)
    assert chosen.maker is not None
    depth = session.depth + 1 if isinstance(session, Stacked) else 1
    if depth > DEPTH:
        raise Unstackable(f"{session.service} stacks {service!r}: more than {DEPTH} deep")
    stacked = Stacked(session, policy, chosen, sink, depth, envelope)
    stacked.start(chosen.maker.make)
    return Body(stacked)


def keeps(policy: Policy, service: str) -> bool:
    """See L{ISession.keeps}."""
    chosen = inspecting(policy, service)
    return chosen.maker is not None and chosen.maker.keeps and not may_change(chosen.settings)


class Below(Protocol):
    """The session that a body is a part of, which may be stacked itself."""

    equipment: Equipment
    identity: Identity
    records: Records
    service: str

    @property
    def source(self) -> Address:
        """See L{ISession}."""

    def permits(self, address: Address) -> bool:
        """See L{ISession.permits}."""

    def give_way(self, side: Side) -> Deferred[None]:
        """See L{ISession.give_way}."""

    def forget(self, stacked: Stacked) -> None:
        """A body came to its end."""


@implementer(IBody)
class Body:
    """What the stacking inspector holds."""

    def __init__(self, stacked: Stacked) -> None:
        self.stacked = stacked

    def send(self, data: bytes) -> Deferred[Any] | None:
        """See L{IBody.send}."""
        return self.stacked.put(data)

    def end(self) -> None:
        """See L{IBody.end}."""
        self.stacked.put_end()

    def cancel(self) -> None:
        """See L{IBody.cancel}."""
        self.stacked.over(Verdict(Outcome.CLOSED, "the body was given up"))


@implementer(ISession)
class Stacked(Facilities):
    """The session that a stacked inspector sees."""

    def __init__(
        self,
        below: Below,
        policy: Policy,
        service: Service,
        sink: ISink,
        depth: int,
        envelope: Envelope,
    ) -> None:
        super().__init__(below.equipment, policy, service, below.identity, below.records)
        self.envelope = envelope
        self.depth = depth
        self._below = below
        self._sink = sink
        self._inspection = Inspection()
        self._released = False
        self.closed = False
        self._stacked: set[Stacked] = set()
        self._tools: Tools | None = None

    def start(self, make: Callable[[ISession], IInspector]) -> None:
        """Make the inspector and tell it."""
        self._await(self._inspection.begin(self, make))

    def put(self, data: bytes) -> Deferred[Any] | None:
        """The next piece of the body."""
        if self.closed:
            return None
        if self._released:
            self._sink.received(data)
            return None
        return self._await(self._inspection.received(self, CLIENT, data))

    def _await(self, decision: Deferred[Any] | None) -> Deferred[Any] | None:
        """A decision may be to deny, or fail; whoever stacks need not care."""
        return None if decision is None else decision.addErrback(guard.failed, self)

    def put_end(self) -> None:
        """The body is complete."""
        if self.closed:
            return
        if self._released:
            self.end(SERVER)
        else:
            self._await(self._inspection.ended(self, CLIENT))

    def over(self, verdict: Verdict) -> None:
        """No more of it, for whatever reason."""
        if self.closed:
            return
        self.closed = True
        self._below.forget(self)
        for stacked in tuple(self._stacked):
            stacked.over(verdict)
        for timer in self.timers:
            timer.cancel()
        del self._sink  # which knows the body: no circle
        self._inspection.closed(self, verdict)
        if self._tools is not None:
            self._tools.close()

    @property
    def ending(self) -> bool:
        """Whether the verdict is known."""
        return self.closed

    def give_up(self, error: Unreachable | Insecure) -> None:
        """There is nothing to reach here, but an inspector may ask for somebody else."""
        self._refuse(Verdict(Outcome.FAILED, str(error)), b"")

    def break_off(self, failure: Failure) -> None:
        """A bug in the stacked inspector."""
        log.failure(
            "{below} #{id} {client} -> {server}: a bug in the stacked inspector of {service}",
            failure,
            below=self._below.service,
            id=self.id,
            client=self.client,
            server=self.server,
            service=self.service,
        )
        self._refuse(guard.BROKEN, b"")

    def _refuse(self, verdict: Verdict, reply: bytes) -> None:
        if not self.closed:
            sink = self._sink
            self.over(verdict)
            sink.denied(f"{self.service}: {verdict.reason}", reply, verdict.outcome)

    # What the stacked inspector asks for

    @property
    def tools(self) -> Tools:
        """See L{ISession}. What it leaves open is closed with it."""
        if self._tools is None:
            self._tools = Tools(self.equipment.room, self.service, self.client.host)
            if self.closed:
                self._tools.close()
        return self._tools

    @property
    def source(self) -> Address:
        """The address that the server of the session below sees."""
        return self._below.source

    reconnects = False

    def connect(self, address: Address | None = None, port: int | None = None) -> Deferred[Address]:
        """There is nothing to open: the sink is there."""
        return succeed(self.server)

    def send(self, side: Side, data: bytes) -> None:
        """To the sink. A body has nobody to answer to."""
        if self.closed:
            return
        if side is CLIENT:
            self.deny("a stacked inspector answered, where there is nobody to answer to")
        else:
            self._sink.received(data)

    def permits(self, address: Address) -> bool:
        """See L{ISession.permits}; but there is nothing to open."""
        return self._below.permits(address)

    def give_way(self, side: Side) -> Deferred[None]:
        """See L{ISession.give_way}. Who sends the body waits meanwhile."""
        return self._below.give_way(side)

    def urge(self, side: Side, data: bytes) -> None:
        """As anything else."""
        self.send(side, data)

    def flushed(self, side: Side) -> Deferred[None]:
        """See L{ISession.flushed}: the sink knows."""
        return Deferred() if self.closed else self._sink.flushed()

    def end(self, side: Side) -> None:
        """The body as the inspector wants it is complete."""
        if not self.closed and side is SERVER:
            sink = self._sink
            self.over(Verdict(Outcome.PASSED))
            sink.ended()

    def deny(self, reason: str, reply: bytes = b"") -> None:
        """Refuse the body."""
        self._refuse(Verdict(Outcome.DENIED, reason), reply)

    def close(self, reason: str, outcome: Outcome = Outcome.CLOSED) -> None:
        """Refuse the body, since there is no connection to close."""
        self._refuse(Verdict(outcome, reason), b"")

    def done(self) -> None:
        """The body as the inspector wants it is complete."""
        self.end(SERVER)

    def probe(self, **_: Any) -> Deferred[Agreed]:
        """There is no connection."""
        raise Unstackable(f"{self.service} can't be stacked: it speaks TLS")

    def cut(self, side: Side) -> bool:
        """A body that is not complete never ends."""
        return False

    def protected(self, side: Side) -> bool:
        """There is no connection."""
        return False

    def secure(self, side: Side, hello: bytes = b"", **_: Any) -> Deferred[Agreed]:
        """There is no connection."""
        raise Unstackable(f"{self.service} can't be stacked: it speaks TLS")

    def expect(self, side: Side, address: Address, service: Any) -> Deferred[Any]:
        """There is no connection."""
        raise Unstackable(f"{self.service} can't be stacked: it announces connections")

    def join(self, expectation: Any) -> Deferred[Address]:
        """There is nobody to come."""
        raise Unstackable(f"{self.service} can't be stacked: it announces connections")

    def dial(self, side: Side, address: Address, service: Any) -> Deferred[Address]:
        """There is no connection."""
        raise Unstackable(f"{self.service} can't be stacked: it announces connections")

    def stack(self, service: str, sink: ISink, envelope: Envelope = NO_ENVELOPE) -> Body:
        """One deeper; of the same, if nothing else is said."""
        if envelope is NO_ENVELOPE:
            envelope = self.envelope
        body = stack(self, self.policy, service, sink, envelope)
        if not body.stacked.closed:
            self._stacked.add(body.stacked)
        return body

    def keeps(self, service: str) -> bool:
        """See L{ISession.keeps}."""
        return keeps(self.policy, service)

    def readdress(self, to: Readdressed) -> None:
        """See L{ISession.readdress}."""
        if self.closed:
            return
        sink = self._sink
        if self.envelope.smtp is None or not IMailSink.providedBy(sink):
            super().readdress(to)
        cast("IMailSink", sink).readdressed(to)

    def forget(self, stacked: Stacked) -> None:
        """A body that was stacked here came to its end."""
        self._stacked.discard(stacked)

    def release(self) -> None:
        """Nothing is left to inspect in this body."""
        self._released = True

    def hand_over(self, service: str, unread: Mapping[Side, bytes]) -> None:
        """There is no connection."""
        raise Unstackable(f"{self.service} can't be stacked: it hands its session over")

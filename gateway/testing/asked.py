"""Asked: what an inspector asked its session for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from gateway.envelope import NO_ENVELOPE, Envelope, Readdressed
from gateway.interfaces import CLIENT, SERVER, Side, Verdict
from gateway.observe import eve
from gateway.observe.audit import NOTHING
from gateway.observe.value import encoded
from gateway.testing.body import FakeBody


@define(eq=False)
class Asked:
    """
    Kept to be read afterwards.

    @ivar keep: whether what is sent is kept (else it is only counted).

    @ivar events: what was asked for, in order, in words.
    @ivar sent: all that was sent to each side.
    @ivar urged: what of it was sent as urgent.
    @ivar halves: the sides towards which it was half-closed.
    @ivar secured: sides that were asked to speak TLS, with what was read before.
    @ivar asked_for: with what else, by their names in L{ISession.secure}.
    @ivar bodies: what was given to inspectors of other services.
    @ivar keeping: services that pass bodies as they are, or not at all.
    @ivar recorded: the audit records: event and fields, with those of the object C{gateway}
        under that name, if there are any.
    @ivar hits: the tests and lists of the policy that have matched.
    @ivar readdressed: the envelope that a stacked mail is to have.
    @ivar released: nothing is inspected any more.
    @ivar handed: the service that it was handed over to, and what was unread of each side.
        As after a release, nothing is inspected any more.
    @ivar verdict: how it ended, if it has.
    @ivar late: what was asked for after the end, which does nothing.
    """

    keep: bool = field(default=True, kw_only=True)
    keeping: frozenset[str] = field(default=frozenset(), kw_only=True)

    events: list[str] = field(init=False, factory=list)
    sent: dict[Side, bytes] = field(init=False, factory=lambda: {CLIENT: b"", SERVER: b""})
    urged: list[tuple[Side, bytes]] = field(init=False, factory=list)
    halves: set[Side] = field(init=False, factory=set)
    secured: list[tuple[Side, bytes]] = field(init=False, factory=list)
    asked_for: dict[Side, dict[str, Any]] = field(init=False, factory=dict)
    bodies: list[FakeBody] = field(init=False, factory=list)
    recorded: list[tuple[str, dict[str, Any]]] = field(init=False, factory=list)
    hits: list[str] = field(init=False, factory=list)
    readdressed: Readdressed | None = field(init=False, default=None)
    released: bool = field(init=False, default=False)
    handed: tuple[str, dict[Side, bytes]] | None = field(init=False, default=None)
    verdict: Verdict | None = field(init=False, default=None)
    late: list[str] = field(init=False, factory=list)
    _closing: bool = field(init=False, default=False)

    def send(self, side: Side, data: bytes) -> None:
        """See L{ISession.send}."""
        if self._note(f"to {side.value}: {data!r}" if self.keep else "send") and self.keep:
            self.sent[side] += data

    def urge(self, side: Side, data: bytes) -> None:
        """See L{ISession.urge}."""
        self.urged.append((side, data))
        self.send(side, data)

    def end(self, side: Side) -> None:
        """See L{ISession.end}."""
        if self._note(f"end to {side.value}"):
            self.halves.add(side)

    def stack(self, service: str, sink: Any, envelope: Envelope = NO_ENVELOPE) -> FakeBody:
        """See L{ISession.stack}."""
        body = FakeBody(service, sink, envelope)
        if self._note(f"stack {service}"):
            self.bodies.append(body)
        return body

    def keeps(self, service: str) -> bool:
        """See L{ISession.keeps}: whether it is in C{keeping}."""
        return service in self.keeping

    def readdress(self, to: Readdressed) -> None:
        """See L{ISession.readdress}."""
        if self._note(f"readdress: {to}"):
            self.readdressed = to

    def release(self) -> None:
        """See L{ISession.release}."""
        if self._note("release"):
            self.released = True

    def hand_over(self, service: str, unread: Mapping[Side, bytes]) -> None:
        """See L{ISession.hand_over}."""
        if self._note(f"hand over to {service}"):
            self.handed = (service, dict(unread))
            self.released = True

    def record(
        self,
        event: str,
        gateway: Mapping[str, Any] = NOTHING,
        denied_by: str = "",
        **fields: Any,
    ) -> None:
        """See L{ISession.record}; here it is checked that EVE has the fields of its events."""
        amiss = eve.amiss(event, json.loads(encoded(fields)))
        if amiss:
            raise ValueError(f"{'; '.join(amiss)}: what EVE does not have belongs into 'gateway'")
        if self._closing or self._note(f"record {event}"):
            own = {**gateway, "denied_by": denied_by} if denied_by else gateway
            self.recorded.append((event, {**fields, "gateway": own} if own else fields))

    def record_prepared(self, event: str, fields: str, gateway: str) -> None:
        """See L{ISession.record_prepared}; here it becomes what it says."""
        self.record(event, json.loads(f"{{{gateway}}}"), **json.loads(f"{{{fields}}}"))

    def records_of(self, event: str) -> list[dict[str, Any]]:
        """The audit records of one kind: each with its own fields and those of C{gateway}."""
        return [
            {**fields, **fields.get("gateway", {})}
            for kind, fields in self.recorded
            if kind == event
        ]

    def hit(self, place: str) -> None:
        """See L{ISession.hit}."""
        if self._note(f"hit {place}"):
            self.hits.append(place)

    def _note(self, event: str) -> bool:
        """Whether it is not too late for this."""
        if self.verdict is not None:
            self.late.append(event)
            return False
        if self.keep:
            self.events.append(event)
        return True

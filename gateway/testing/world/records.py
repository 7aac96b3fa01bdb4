"""The audit of a simulated world: what was recorded, to be read afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from attrs import define, field

from gateway.interfaces import Verdict
from gateway.observe.audit import NOTHING
from gateway.observe.identity import Identity, Released, Upstream
from gateway.policy.connection import Protocol


class Event(NamedTuple):
    """Something that happened in a session."""

    session: int
    event_type: str
    fields: dict[str, Any]
    gateway: dict[str, Any]


class Flow(NamedTuple):
    """A session is over, or a connection became none."""

    identity: Identity
    verdict: Verdict
    started: float
    ended: float
    to_server: int
    to_client: int
    upstream: Upstream | None = None
    denied: int = 0
    released: Released | None = None


@define
class KeptRecords:
    """
    Has the methods of L{Audit<gateway.observe.audit.Audit>}.

    @ivar all: the records, in order.
    @ivar refusing: whether no session is to be admitted.
    """

    all: list[Event | Flow] = field(factory=list)
    refusing: bool = False

    def event(
        self,
        event_type: str,
        identity: Identity,
        fields: Mapping[str, object],
        gateway: Mapping[str, object] = NOTHING,
    ) -> None:
        """See L{Audit.event<gateway.observe.audit.Audit.event>}."""
        self.all.append(Event(identity.id, event_type, dict(fields), dict(gateway)))

    def prepared(self, event_type: str, identity: Identity, fields: str, gateway: str) -> None:
        """See L{Audit.prepared<gateway.observe.audit.Audit.prepared>}."""
        objects = (json.loads(f"{{{members}}}") for members in (fields, gateway))
        self.event(event_type, identity, *objects)

    def flow(self, *said: Any, **more: Any) -> None:
        """See L{Audit.flow<gateway.observe.audit.Audit.flow>}, whose arguments L{Flow} has."""
        self.all.append(Flow(*said, **more))

    def refused(
        self,
        service: str,
        protocol: Protocol,
        reason: str,
        count: int,
        between: tuple[float, float],
    ) -> None:
        """See L{Audit.refused<gateway.observe.audit.Audit.refused>}. Nobody asks for these."""

    @property
    def flows(self) -> list[Flow]:
        """Those of sessions that are over."""
        return [record for record in self.all if isinstance(record, Flow)]

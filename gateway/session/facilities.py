"""Facilities: what every inspector may ask for, whatever its session stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred

from gateway.envelope import Readdressed
from gateway.interfaces import Address
from gateway.observe.audit import NOTHING
from gateway.observe.identity import Identity
from gateway.policy.policy import Policy
from gateway.policy.service import Service
from gateway.session import guard
from gateway.session.equipment import Equipment
from gateway.session.records import Records
from gateway.session.ticker import Ticker
from gateway.session.timer import Timer

T = TypeVar("T")

_NONE: frozenset[Any] = frozenset()


class Facilities:
    """
    The part of L{ISession<gateway.interfaces.ISession>} that is the same for a connection and for
    a body: who it is about, time, names, what takes long, and records.

    @ivar timers: what is to happen later; whoever ends the session cancels them.
    """

    __slots__ = (
        *("_written", "client", "equipment", "id", "identity", "policy", "records"),
        *("server", "service", "settings", "shared", "timers"),
    )

    def __init__(
        self,
        equipment: Equipment,
        policy: Policy,
        service: Service,
        identity: Identity,
        records: Records,
    ) -> None:
        self.equipment = equipment
        self.policy = policy
        self.identity = identity
        self.records = records
        self.id: int = identity.id
        self.client: Address = identity.client
        self.server: Address = identity.server
        self.service: str = service.name
        self.settings = service.settings
        self.shared = service.shared
        self.timers: frozenset[Timer] = _NONE  # most have none, so that all share the empty one
        self._written = service.written

    @property
    def ending(self) -> bool:
        """Whether the verdict is known."""
        raise NotImplementedError

    def readdress(self, to: Readdressed) -> None:
        """See L{ISession.readdress<gateway.interfaces.ISession.readdress>}."""
        raise ValueError(f"{self.service}: only a stacked mail has an envelope")

    def resolve(self, name: str) -> Deferred[tuple[str, ...]]:
        """See L{ISession.resolve<gateway.interfaces.ISession.resolve>}."""
        if self.ending:
            return guard.promise()
        return self.watched(self.equipment.names.resolve(name))

    def compute(self, function: Callable[[], Any]) -> Deferred[Any]:
        """See L{ISession.compute<gateway.interfaces.ISession.compute>}."""
        if self.ending:
            return guard.promise()
        return self.watched(self.equipment.compute(function))

    def watched(self, result: Deferred[T]) -> Deferred[T]:
        """Whatever the inspector gets: its failure is somebody's business."""
        return guard.watched(result, cast(guard.Guarded, self), self.equipment.clock)

    # Time

    @property
    def ticker(self) -> Ticker:
        """What time limits go by."""
        return self.equipment.ticker

    @property
    def now(self) -> float:
        """See L{ISession<gateway.interfaces.ISession>}."""
        return self.equipment.ticker.wake()

    def date(self) -> float:
        """See L{ISession.date<gateway.interfaces.ISession.date>}."""
        return self.equipment.clock.seconds()

    def after(self, seconds: float, call: Callable[[], Any]) -> Timer:
        """See L{ISession.after<gateway.interfaces.ISession.after>}."""
        timer = Timer(cast(Any, self), self.equipment.ticker, seconds, call)
        if self.ending:
            timer.cancel()
        return timer

    # Records

    def record(
        self,
        event: str,
        gateway: Mapping[str, Any] = NOTHING,
        denied_by: str = "",
        **fields: Any,
    ) -> None:
        """See L{ISession.record<gateway.interfaces.ISession.record>}."""
        self.records.event(event, fields, gateway, self._written.get(denied_by, denied_by))

    def record_prepared(self, event: str, fields: str, gateway: str) -> None:
        """See L{ISession.record_prepared<gateway.interfaces.ISession.record_prepared>}."""
        self.records.prepared(event, fields, gateway)

    def hit(self, place: str) -> None:
        """See L{ISession.hit<gateway.interfaces.ISession.hit>}."""
        self.records.hit(self._written.get(place, place))

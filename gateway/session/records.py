"""Records: what is written down of one session, its transactions and at last itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.interfaces import Verdict
from gateway.observe.identity import Identity, Released, Upstream
from gateway.session.equipment import Equipment


class Records:
    """
    The audit records of one session, and of the bodies that are a part of it.

    The flow record is the last one: after it, nothing is recorded.

    @ivar denied: how many transactions did not pass.
    @ivar started: when the session began: seconds since 1970.
    """

    __slots__ = ("_audit", "_identity", "_metrics", "_over", "denied", "started")

    def __init__(self, equipment: Equipment, identity: Identity) -> None:
        self._audit = equipment.audit
        self._metrics = equipment.metrics
        self._identity = identity
        self._over = False
        self.denied = 0
        self.started = equipment.clock.seconds()

    def event(
        self, event: str, fields: Mapping[str, Any], gateway: Mapping[str, Any], denied_by: str
    ) -> None:
        """A transaction. C{denied_by}: the place in the policy, or what else denied it."""
        if self._over:
            return
        if denied_by:
            self.denied += 1
            self._metrics.denied(self._identity.service, event, denied_by)
            gateway = {**gateway, "denied_by": denied_by}
        self._audit.event(event, self._identity, fields, gateway)

    def prepared(self, event: str, fields: str, gateway: str) -> None:
        """A transaction, of which fields are JSON already."""
        if not self._over:
            self._audit.prepared(event, self._identity, fields, gateway)

    def hit(self, place: str) -> None:
        """Something in the policy has matched."""
        self._metrics.hit(self._identity.service, place)

    def hand_on(self) -> None:
        """The session goes on, and the next gateway records its end."""
        self._over = True
        self._metrics.handed_on(self._identity.service)

    def flow(
        self,
        verdict: Verdict,
        ended: float,
        to_server: int,
        to_client: int,
        upstream: Upstream | None,
        released: Released | None,
    ) -> None:
        """The session is over."""
        if self._over:
            return
        self._over = True
        self._audit.flow(
            self._identity,
            verdict,
            self.started,
            ended,
            to_server,
            to_client,
            upstream,
            self.denied,
            released,
        )
        self._metrics.ended(
            self._identity.service, verdict.outcome, to_server, to_client, self.denied
        )

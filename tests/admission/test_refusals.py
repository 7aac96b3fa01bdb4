"""Connections that became no session: so many records a minute, and a count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.admission.refusals import Refusals
from gateway.interfaces import Address, Outcome, Verdict
from gateway.observe.audit import Audit
from gateway.observe.identity import Identity
from gateway.observe.metrics import Metrics, Refusal
from gateway.policy.audit import AuditSettings
from gateway.policy.connection import Protocol
from gateway.session.equipment import Equipment
from gateway.session.ticker import Ticker
from gateway.wire.connector import Connector
from gateway.wire.names import Names

A, B = Address("192.0.2.1", 1), Address("192.0.2.2", 2)
TCP, UDP = Protocol.TCP, Protocol.UDP


class RefusalsTests(SynchronousTestCase):
    """The bound, minute by minute."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.file = Path(self.mktemp())
        self.audit = Audit(
            AuditSettings(file=str(self.file)), self.clock.seconds, lambda call: call()
        )
        self.audit.start()
        self.addCleanup(self.audit.close)
        poller: Any = None
        self.equipment = Equipment(
            None,
            self.clock,
            Ticker(self.clock),
            Connector(poller, 0, Names()),
            self.audit,
            Metrics(),
            poller,
        )
        self.refusals = Refusals(self.equipment)

    def refuse(
        self,
        count: int,
        service: str = "web",
        protocol: Protocol = UDP,
        refusal: Refusal = Refusal.NO_RULE,
        most: int = 2,
    ) -> int:
        """How many of them are recorded."""
        identity = Identity(1, A, B, protocol, service)
        verdict = Verdict(Outcome.DENIED, "no")
        return sum(self.refusals.add(identity, refusal, verdict, most) for _ in range(count))

    def left_out(self) -> list[dict[str, Any]]:
        self.audit.close()
        records = map(json.loads, self.file.read_text().splitlines())
        return [one for one in records if one["event_type"] == "audit"]

    def test_few(self) -> None:
        """As many as there may be: each has its record, and there is nothing to count."""
        self.assertEqual(self.refuse(2), 2)
        self.clock.advance(100)
        self.assertEqual(self.left_out(), [])

    def test_no_bound(self) -> None:
        """0: all are recorded."""
        self.assertEqual(self.refuse(500, most=0), 500)
        self.refusals.report()
        self.assertEqual(self.left_out(), [])

    def test_kinds(self) -> None:
        """A flood of one kind hides nobody of another kind."""
        self.assertEqual(self.refuse(9), 2)
        self.assertEqual(self.refuse(1, service="mail"), 1)
        self.assertEqual(self.refuse(1, protocol=TCP), 1)
        self.assertEqual(self.refuse(1, refusal=Refusal.CLIENT_LIMIT), 1)

    def test_minutes(self) -> None:
        """After a minute the count is written, and a new one begins; without being asked."""
        self.clock.advance(1000)
        self.refuse(3)
        self.clock.pump([1] * 10)
        self.refuse(4)
        self.clock.pump([1] * 55)
        self.assertEqual(self.refuse(3), 2)
        self.clock.pump([1] * 65)
        first, second = self.left_out()
        self.assertEqual(first["audit"]["refused"], 5)
        self.assertEqual(second["audit"]["refused"], 1)
        self.assertEqual(first["audit"]["first"], "1970-01-01T00:16:40.000000+0000")
        self.assertEqual(first["audit"]["last"], "1970-01-01T00:16:50.000000+0000")
        self.assertEqual(first["gateway"], {"service": "web"})

    def test_nothing_to_do(self) -> None:
        """With nobody refused there is no timer."""
        self.refuse(3)
        self.clock.pump([1] * 70)
        self.assertEqual(self.clock.getDelayedCalls(), [])

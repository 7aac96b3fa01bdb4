"""What random lives have found, one by one."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, Outcome, Side
from gateway.policy.limits import ServiceLimits
from gateway.testing.world.link import PLENTY
from gateway.testing.world.network import Attempt
from gateway.testing.world.peer import Peer
from gateway.testing.world.world import World, inspecting


class RareTests(SynchronousTestCase):
    """Each was a fault of the gateway's, in one of some ten thousand lives."""

    def world(self, make: Any, *others: Any, **limits: Any) -> World:
        world = World([inspecting(make, limits=ServiceLimits(**limits)), *others])
        self.servers: list[Peer] = []
        world.network.asked = lambda attempt: self.servers.append(attempt.accepts())
        return world

    def test_time_after_unreachable(self) -> None:
        """A session that goes on without its server, which took too long, has its other limits."""

        class Staying(Inspector):
            def started(self) -> None:
                self.session.connect().addErrback(lambda failure: None)

        world = self.world(Staying, connect_seconds=5, idle_seconds=30)
        world.network.asked = lambda attempt: None
        world.comes()
        world.pass_time(20)
        self.assertEqual(world.flows, [])
        world.pass_time(30)
        self.assertIs(world.flows[0].verdict.outcome, Outcome.FAILED)

    def test_handed_on(self) -> None:
        """Who is handed a session over and hands it on has been told enough: the next one is."""
        told: list[Any] = []

        class First(Inspector):
            def ended(self, side: Side) -> None:
                if side is CLIENT:
                    self.session.hand_over("second", {CLIENT: b"client's", SERVER: b"server's"})

        class Second(Inspector):
            def received(self, side: Side, data: bytes) -> None:
                told.append(("second", side, data))
                self.session.hand_over("third", {side: b"rest"})

            def ended(self, side: Side) -> None:
                raise AssertionError("handed over")

        class Third(Inspector):
            def received(self, side: Side, data: bytes) -> None:
                told.append(("third", side, data))

            def ended(self, side: Side) -> None:
                told.append(("third", side))
                super().ended(side)

        world = self.world(First, inspecting(Second, "second"), inspecting(Third, "third"))
        client = world.comes()
        world.settle()
        self.servers[0].ends()
        world.settle()
        client.ends()
        world.settle()
        self.assertEqual(
            told,
            [
                ("second", CLIENT, b"client's"),
                ("third", CLIENT, b"rest"),
                ("third", CLIENT),
                ("third", SERVER, b"server's"),
                ("third", SERVER),
            ],
        )

    def test_denied_during_a_handshake(self) -> None:
        """A handshake that is broken off by a denial is no second end of the session."""

        class Starting(Inspector):
            def received(self, side: Side, data: bytes) -> None:
                if side is SERVER:
                    self.session.secure(SERVER)
                else:
                    self.session.deny("no", b"sorry")

        world = self.world(Starting)
        client = world.comes()
        world.settle()
        self.servers[0].says(b"STARTTLS")
        world.settle()
        client.says(b"x")
        client.ends()
        world.settle()
        self.assertEqual([one.verdict for one in world.flows], [(Outcome.DENIED, "no")])
        self.assertEqual(client.heard, b"sorry")

    def test_full_before_a_handshake(self) -> None:
        """What is kept for the end of a handshake fills the buffer until it has left."""

        class Waiting(Inspector):
            def received(self, side: Side, data: bytes) -> None:
                if data == b"STARTTLS":
                    self.session.secure(SERVER)
                else:
                    super().received(side, data)

        world = self.world(Waiting, buffer=10_000)
        client = world.comes()
        world.settle()
        server = self.servers[0]
        server.says(b"STARTTLS")
        server.slow(0)
        world.settle()
        client.says(bytes(1_000_000))
        world.settle()
        server.slow(PLENTY)
        world.settle()
        (session,) = world.register.running.values()
        self.assertLess(session._legs[SERVER].waiting, 100_000)  # type: ignore[attr-defined]

    def test_asked_while_it_is_answered(self) -> None:
        """An attempt may be abandoned while somebody is asked."""
        world = self.world(Inspector)

        def asked(attempt: Attempt) -> None:
            raise OSError(101, "no route")

        world.network.asked = asked
        world.comes()
        world.settle()
        self.assertIn("unreachable", world.flows[0].verdict.reason)

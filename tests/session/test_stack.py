"""Bodies that run through another service's inspector."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.envelope import NO_ENVELOPE, Envelope
from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, Address, Denied, Outcome, Unreachable
from gateway.observe.identity import Identity
from gateway.observe.scans import Scans
from gateway.policy.connection import Protocol
from gateway.policy.policy import Policy
from gateway.scanning.daemons import Daemons
from gateway.scanning.programs import Programs
from gateway.scanning.spool import Spools
from gateway.scanning.tools import Room
from gateway.session.records import Records
from gateway.session.stack import DEPTH, Unstackable, stack
from gateway.testing.world.records import Event
from gateway.testing.world.world import CLIENT as CLIENT_ADDRESS
from gateway.testing.world.world import SERVER as SERVER_ADDRESS
from gateway.testing.world.world import World
from gateway.testing.world.world import inspecting as service


class Rewriting(Inspector):
    """Writes everything large."""

    def started(self) -> None:
        """A body is there already."""

    def received(self, side: Any, data: bytes) -> None:
        self.session.send(side.other, data.upper())


class Refusing(Rewriting):
    """Has no patience with viruses, and awaits the decision on what it doesn't know."""

    decision: Deferred[None]

    def received(self, side: Any, data: bytes) -> Any:
        if b"virus" in data:
            raise Denied("a virus", b"gone")
        if b"unknown" in data:
            return self.decision
        return super().received(side, data)


class Stacking(Rewriting):
    """Stacks itself."""

    def started(self) -> None:
        self.session.stack(self.session.service, Sink())


class Later(Rewriting):
    """Can't say now."""

    def received(self, side: Any, data: bytes) -> None:
        raise Unreachable("nobody answers")


class Keeping(Rewriting):
    """Changes nothing."""

    keeps = True


class Deeper(Rewriting):
    """Has somebody else look at it too."""

    def started(self) -> None:
        self.session.stack("rewrite", Sink())


class Sink:
    """Records."""

    room: Deferred[None]
    outcome: Outcome

    def __init__(self) -> None:
        self.got: list[Any] = []

    def received(self, data: bytes) -> None:
        self.got.append(data)

    def ended(self) -> None:
        self.got.append("ended")

    def flushed(self) -> Deferred[None]:
        self.room = Deferred()
        return self.room

    def denied(self, reason: str, reply: bytes, outcome: Outcome) -> None:
        self.got.append((reason, reply))
        self.outcome = outcome


class Below:
    """As much of a session as a stacked one stands on."""

    service = "web"

    def __init__(self, world: World) -> None:
        self.forgotten: list[Any] = []
        self.spools = Spools("", 1000, 0)
        reactor = cast(Any, world.reactor)
        room = Room(self.spools, Daemons(reactor), Programs(reactor, str), Scans())
        self.equipment = evolve(world.equipment, room=room)
        self.identity = Identity(7, CLIENT_ADDRESS, SERVER_ADDRESS, Protocol.TCP, "web")
        self.records = Records(self.equipment, self.identity)

    def forget(self, body: Any) -> None:
        self.forgotten.append(body)


class StackTests(SynchronousTestCase):
    """C{session.stack}."""

    def setUp(self) -> None:
        self.services = [
            service(Rewriting, "rewrite"),
            service(Refusing, "scan"),
            service(Stacking, "itself"),
            service(Later, "later"),
            service(Keeping, "keep"),
            service(Deeper, "deeper"),
            evolve(service(Rewriting, "none"), maker=None),
        ]
        self.sink = Sink()
        self.world = World(self.services)
        self.below = Below(self.world)
        self.policy = Policy(services={one.name: one for one in self.services})

    def stack(self, name: str, envelope: Envelope = NO_ENVELOPE) -> Any:
        return stack(self.below, self.policy, name, self.sink, envelope)

    def test_envelope(self) -> None:
        """A stacked inspector knows what its body belongs to; one that it stacks knows it too."""
        envelope = Envelope(protocol="ftp", filename="a")
        self.assertIs(self.stack("rewrite", envelope).stacked.envelope, envelope)
        (deeper,) = self.stack("deeper", envelope).stacked._stacked
        self.assertIs(deeper.envelope, envelope)

    def test_later(self) -> None:
        """That it can't say is another matter than that it refuses: the body may come again."""
        self.stack("later").send(b"x")
        self.assertEqual(self.sink.got, [("later: nobody answers", b"")])
        self.assertIs(self.sink.outcome, Outcome.FAILED)
        self.stack("scan").send(b"virus")
        self.assertIs(self.sink.outcome, Outcome.DENIED)

    def test_room(self) -> None:
        """It hears from the sink when there is room for more; and never after the end."""
        body = self.stack("rewrite")
        flushed = body.stacked.flushed(SERVER)
        self.assertNoResult(flushed)
        self.sink.room.callback(None)
        self.successResultOf(flushed)
        body.end()
        self.assertNoResult(body.stacked.flushed(SERVER))

    def test_keeps(self) -> None:
        """Who stacks can ask whether the body may be another one afterwards."""
        below = self.stack("rewrite").stacked
        self.assertEqual([below.keeps(name) for name in ("keep", "rewrite")], [True, False])

    def test_tools(self) -> None:
        """What it left open is closed when its body comes to an end, however that is."""
        for end in ("end", "cancel"):
            body = self.stack("rewrite")
            body.stacked.tools.spool(100).put(b"held")
            self.assertEqual(self.below.spools.in_memory, 4)
            getattr(body, end)()
            self.assertEqual(self.below.spools.in_memory, 0)
            body.stacked.tools.spool(100).put(b"too late")
            self.assertEqual(self.below.spools.in_memory, 0)

    def test_time(self) -> None:
        """A stacked inspector has time too, as long as its body is there."""
        body = self.stack("rewrite")
        told: list[str] = []
        body.stacked.after(1, lambda: told.append("in time"))
        body.stacked.after(3, lambda: told.append("too late"))
        for _ in range(8):
            self.world.pass_time(0.25)
        body.cancel()
        body.stacked.after(1, lambda: told.append("much too late"))
        for _ in range(20):
            self.world.pass_time(0.25)
        self.assertEqual(told, ["in time"])

    def test_rewritten(self) -> None:
        """The sink gets what the stacked inspector sends on, and its end."""
        body = self.stack("rewrite")
        self.assertIsNone(body.send(b"some "))
        body.send(b"text")
        body.end()
        self.assertEqual(self.sink.got, [b"SOME ", b"TEXT", "ended"])

    def test_refused(self) -> None:
        """A refusal reaches the sink with its reason and reply, and nothing comes after it."""
        body = self.stack("scan")
        body.send(b"fine ")
        body.send(b"a virus")
        body.send(b"more")
        body.end()
        self.assertEqual(self.sink.got, [b"FINE ", ("scan: a virus", b"gone")])

    def test_awaited(self) -> None:
        """A decision that is awaited is the stacking inspector's to await too."""
        Refusing.decision = Deferred()
        body = self.stack("scan")
        decision = body.send(b"unknown")
        self.assertNoResult(decision)
        Refusing.decision.errback(Denied("known by now"))
        self.successResultOf(decision)
        self.assertEqual(self.sink.got, [("scan: known by now", b"")])

    def test_bug(self) -> None:
        """A bug in the stacked inspector refuses the body: nothing passes unseen."""
        Refusing.decision = None
        body = self.stack("rewrite")
        body.stacked._inspection.present.received = lambda *_: 1 / 0
        body.send(b"x")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.sink.got, [("rewrite: a bug: the traceback is in the log", b"")])

    def test_given_up(self) -> None:
        """A body that is given up says nothing more to the sink."""
        body = self.stack("rewrite")
        body.cancel()
        body.send(b"x")
        body.end()
        self.assertEqual(self.sink.got, [])

    def test_endless(self) -> None:
        """A service that stacks itself is refused after a few, not when memory is full."""
        self.stack("itself")
        errors = self.flushLoggedErrors(Unstackable)
        self.assertEqual(len(errors), 1)
        self.assertIn(f"more than {DEPTH} deep", str(errors[0].value))

    def test_no_inspector(self) -> None:
        """What is no inspecting service can't be stacked."""
        for name in ("none", "nonsense"):
            with self.assertRaises(Unstackable):
                self.stack(name)

    def test_answer(self) -> None:
        """A stacked inspector that answers its client would answer nobody: refused."""
        body = self.stack("rewrite")
        body.stacked.send(CLIENT, b"hello?")
        ((reason, _),) = self.sink.got
        self.assertIn("nobody to answer to", reason)

    def test_released(self) -> None:
        """After a release the rest passes as it is."""
        body = self.stack("rewrite")
        body.stacked.release()
        body.send(b"quiet")
        body.end()
        self.assertEqual(self.sink.got, [b"quiet", "ended"])

    def test_record(self) -> None:
        """Its audit records belong to the session below."""
        self.stack("rewrite").stacked.record("scan", found=1)
        self.assertEqual(self.world.records.all, [Event(7, "scan", {"found": 1}, {})])

    def test_record_denied(self) -> None:
        """The settings that it names are those of its own service."""
        written = {"viruses": "services/scan.toml:3"}
        self.services.append(evolve(service(Rewriting, "named"), written=written))
        self.policy = Policy(services={one.name: one for one in self.services})
        self.stack("named").stacked.record("scan", denied_by="viruses")
        denied = {"denied_by": "services/scan.toml:3"}
        self.assertEqual(self.world.records.all, [Event(7, "scan", {}, denied)])
        self.assertEqual(self.below.records.denied, 1)

    def test_no_connection(self) -> None:
        """It can neither secure nor announce a connection."""
        stacked = self.stack("rewrite").stacked
        with self.assertRaises(Unstackable):
            stacked.secure(SERVER)
        with self.assertRaises(Unstackable):
            stacked.expect(CLIENT, Address("10.0.0.1", 1), "rewrite")

    def test_forgotten(self) -> None:
        """A finished body is not kept by a session that goes on."""
        body = self.stack("rewrite")
        body.end()
        self.assertEqual(self.below.forgotten, [body.stacked])

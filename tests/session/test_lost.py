"""What a peer said before it was lost still counts; and an inspector may have last words."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, ISession, Outcome, Side, Verdict
from gateway.testing.world.network import Attempt
from gateway.testing.world.peer import Peer
from gateway.testing.world.world import World, inspecting
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings
from tests.session.scene import Scene, asynchronous, receive, receive_all, reset, send

REFUSAL = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"


class LastWords(Inspector):
    """Says good-bye to whoever is left."""

    def __init__(self, session: ISession) -> None:
        super().__init__(session)
        self.told: list[tuple[Side, Verdict]] = []

    def lost(self, side: Side, verdict: Verdict) -> None:
        self.told.append((side, verdict))
        self.session.send(side, b"nobody hears this")
        self.session.send(side.other, b"alone")
        self.session.close("one is left", Outcome.FAILED)


class Broken(Inspector):
    """Has a bug."""

    def lost(self, side: Side, verdict: Verdict) -> None:
        raise RuntimeError("a bug")


class Delivering(Inspector):
    """Lets the session end when the test says so."""

    def __init__(self, session: ISession, said: Deferred[None]) -> None:
        super().__init__(session)
        self.said = said

    def received(self, side: Side, data: bytes) -> None:
        self.session.send(side.other, data)

    def lost(self, side: Side, verdict: Verdict) -> Deferred[None]:
        return self.said


class Again(Delivering):
    """Wants another server each time that one has gone."""

    def ended(self, side: Side) -> None:
        if side is SERVER:
            self.again()
        else:
            self.session.close("the client has gone")

    def lost(self, side: Side, verdict: Verdict) -> Any:
        return self.again() if side is SERVER else None

    def again(self) -> None:
        self.session.connect()
        self.session.send(SERVER, b"again ")


class Late(Again):
    """The same, while it decides what becomes of a client that is lost."""

    def lost(self, side: Side, verdict: Verdict) -> Any:
        return super().lost(side, verdict) if side is SERVER else self.said


class SimulatedTests(SynchronousTestCase):
    """What an inspector may do when a side has gone."""

    def world(self, inspector: Any) -> tuple[World, Peer, list[Attempt]]:
        self.said: Deferred[None] = Deferred()
        world = World([inspecting(lambda session: inspector(session, self.said))])
        attempts: list[Attempt] = []
        world.network.asked = attempts.append
        client = world.comes()
        world.settle()
        return world, client, attempts

    def test_decision(self) -> None:
        """The session ends by a reset when the inspector has decided, and not before."""
        world, client, (attempt,) = self.world(Delivering)
        server = attempt.accepts()
        world.settle()
        server.says(b"all there is")
        world.settle()
        server.resets()
        world.settle()
        self.assertEqual((client.heard, client.was_reset), (b"all there is", False))
        self.said.callback(None)
        world.settle()
        self.assertTrue(client.was_reset)
        (flow,) = world.flows
        self.assertEqual(flow.verdict, Verdict(Outcome.RESET, "reset by the server"))

    def test_decision_never(self) -> None:
        """A side that is left is not kept for ever: the session is idle then."""
        world, client, (attempt,) = self.world(Delivering)
        server = attempt.accepts()
        world.settle()
        server.resets()
        world.pass_time(1000.0)
        self.assertTrue(client.was_reset)
        self.assertIn("idle_seconds", world.flows[0].verdict.reason)

    def test_client_after_server(self) -> None:
        """When the other side is lost too, there is nothing to decide any more."""
        world, client, (attempt,) = self.world(Delivering)
        server = attempt.accepts()
        world.settle()
        server.resets()
        world.settle()
        client.resets()
        world.settle()
        self.assertEqual(world.flows[0].verdict, Verdict(Outcome.RESET, "reset by the server"))
        self.said.callback(None)

    def test_another_server_without_a_client(self) -> None:
        """A server that goes while the loss of the client is decided on may be replaced, too."""
        world, client, attempts = self.world(Late)
        server = attempts[-1].accepts()
        world.settle()
        client.resets()
        world.settle()
        server.ends()
        world.settle()
        self.assertEqual(len(attempts), 2)
        self.said.callback(None)
        world.settle()
        (flow,) = world.flows
        self.assertEqual(flow.verdict, Verdict(Outcome.RESET, "reset by the client"))

    def test_another_server(self) -> None:
        """The client's connection outlives two servers, and the record has all bytes."""
        world, client, attempts = self.world(Again)
        for go in (Peer.ends, Peer.resets):
            server = attempts[-1].accepts()
            world.settle()
            client.says(b"asked")
            world.settle()
            server.says(b"said ")
            world.settle()
            go(server)
            world.settle()
        last = attempts[-1].accepts()
        world.settle()
        last.says(b"last")
        world.settle()
        self.assertEqual(client.heard, b"said said last")
        self.assertEqual(last.heard, b"again ")
        self.assertFalse(client.has_ended or client.was_reset)
        client.ends()
        last.ends()
        world.pass_time(10.0)
        (flow,) = world.flows
        self.assertEqual(flow.to_client, len(client.heard))
        self.assertEqual(flow.to_server, len(b"askedagain askedagain "))

    def test_still_there(self) -> None:
        """A server that has not gone is not replaced: to ask for that is a bug."""
        world, _, (attempt,) = self.world(Delivering)
        attempt.accepts()
        world.settle()
        (session,) = world.register.running.values()
        with self.assertRaises(RuntimeError):
            session.connect()  # type: ignore[attr-defined]


class LostTests(TestCase):
    """A peer that is lost."""

    timeout = 30

    @asynchronous
    async def test_last_words(self) -> None:
        """The other side hears them, and an orderly end; nobody is told twice."""
        for lost in (CLIENT, SERVER):
            made: list[LastWords] = []

            def make(session: ISession, made: list[LastWords] = made) -> LastWords:
                made.append(LastWords(session))
                return made[0]

            scene = Scene(self, make)
            client, server = await scene.pair()
            await send(client, b"x")
            await receive(server, 1)
            gone, left = (client, server) if lost is CLIENT else (server, client)
            reset(gone)
            self.assertEqual(await receive_all(left), b"alone")
            left.close()
            flow = await scene.over()
            verdict = Verdict(Outcome.RESET, f"reset by the {lost.value}")
            self.assertEqual(made[0].told, [(lost, verdict)])
            self.assertEqual(flow["gateway"]["verdict"], "failed")
            self.assertEqual(flow["gateway"]["reason"], "one is left")

    @asynchronous
    async def test_bug(self) -> None:
        """A bug in that ends the session, once."""
        scene = Scene(self, Broken)
        client, server = await scene.pair()
        reset(server)
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        self.assertEqual((await scene.over())["gateway"]["verdict"], "broken")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @asynchronous
    async def test_http(self) -> None:
        """A client that has heard nothing reads a page."""
        scene = Scene(self, HttpInspector, settings=HttpSettings())
        client = scene.connect()
        await send(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        reset(await scene.accepted())
        self.assertTrue((await receive_all(client)).startswith(b"HTTP/1.1 502 "))
        client.close()
        await scene.over()

    @asynchronous
    async def test_refused_upload(self) -> None:
        """
        What a server says before it closes on an upload reaches the client, also if the gateway
        notices the reset when it sends more of the upload, and not when it reads.
        """
        scene = Scene(self, HttpInspector, settings=HttpSettings())
        client = scene.connect()
        await send(client, PUT)
        server = await scene.accepted()
        await receive(server, len(PUT))
        (session,) = scene.register.running.values()
        server.sendall(REFUSAL)
        reset(server)
        client.sendall(b"more")
        session._legs[CLIENT].wire.doRead()
        client.sendall(b"even more")
        self.assertEqual(await receive_all(client), REFUSAL)
        client.close()
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["reason"], "reset by the server")

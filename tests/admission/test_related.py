"""Announced connections: the gateway lets in exactly the one that was announced."""

from __future__ import annotations

import contextlib
import socket
from time import time
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, Address, Denied, Unreachable
from gateway.policy.limits import ServiceLimits
from gateway.policy.service import Action
from gateway.session.expectation import STRANGERS
from protocols.relay import RelayInspector
from tests.session.scene import (
    Scene,
    asynchronous,
    in_thread,
    receive,
    receive_all,
    reset,
    send,
    service,
    until,
)


class Announcing(Inspector):
    """Announces a connection when the test says so."""

    made: list[Announcing] = []

    def __init__(self, session: Any) -> None:
        super().__init__(session)
        self.made.append(self)


async def visit(case: TestCase, address: Address, source: str = "127.0.0.1") -> socket.socket:
    """Somebody connects. Who is reset while connecting has a closed socket: see L{was_reset}."""
    sock = socket.socket()
    case.addCleanup(sock.close)
    sock.settimeout(10)
    sock.bind((source, 0))
    try:
        await in_thread(sock.connect, address)
    except ConnectionResetError:
        sock.close()
    return sock


async def was_reset(visitor: socket.socket) -> bool:
    """Whether that is what became of a visitor: at once, or when it reads."""
    if visitor.fileno() == -1:
        return True
    try:
        await receive(visitor, 1)
    except ConnectionResetError:
        return True
    return False


class ExpectationTests(TestCase):
    """C{session.expect}."""

    timeout = 30

    def setUp(self) -> None:
        Announcing.made.clear()

    async def announced(
        self, scene: Scene, side: Any = CLIENT, service: Any = "data"
    ) -> tuple[Any, socket.socket, socket.socket]:
        """A session that has announced a connection to a free port on loopback."""
        client, server = await scene.pair()
        session = Announcing.made[0].session
        expectation = await session.expect(side, Address("127.0.0.2", 0), service)
        return expectation, client, server

    async def closed(self, scene: Scene, expectation: Any) -> None:
        """Nobody listens there any more."""
        await until(lambda: not scene.admission.related._expected)
        with self.assertRaises(ConnectionRefusedError):
            await visit(self, expectation.address)

    def scene(self, **arguments: Any) -> Scene:
        arguments.setdefault("others", (service(RelayInspector, "data"),))
        return Scene(self, Announcing, **arguments)

    @asynchronous
    async def test_it_comes(self) -> None:
        """
        The connection that was announced becomes a session of its own, with
        the same flow_id as parent, and goes to the announced address.
        """
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        self.assertNotEqual(expectation.address.port, 0)
        data = await visit(self, expectation.address)
        # The real server would listen there; on loopback the address was ours for one accept.
        with self.assertRaises(OSError):
            await receive(data, 1)
        await until(lambda: len(scene.register.running) == 1)
        scene.admission.stop()
        flows = {one["gateway"]["service"]: one for one in scene.records()}
        self.assertEqual(flows["data"]["parent_id"], flows["web"]["flow_id"])
        self.assertEqual(flows["data"]["dest_port"], expectation.address.port)
        self.assertIn("connection refused", flows["data"]["gateway"]["reason"])

    @asynchronous
    async def test_session_told_first(self) -> None:
        """A session that ends is told so before what it has announced is gone."""
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        told, inspector = [], Announcing.made[0]
        expectation.gone.addCallback(lambda _: told.append("gone"))
        inspector.closed = lambda verdict: told.append("closed")  # type: ignore[method-assign]
        scene.admission.stop()
        await self.closed(scene, expectation)
        self.assertEqual(told, ["closed", "gone"])

    @asynchronous
    async def test_bytes_flow(self) -> None:
        """Its bytes run between the one who connected and the announced address."""
        made: list[Any] = []

        class Data(Inspector):
            def __init__(self, session: Any) -> None:
                super().__init__(session)
                made.append(session)

            def started(self) -> Any:
                return self.session.connect(scene.address)

        scene = self.scene()
        expectation, *_ = await self.announced(scene, service=Data)
        data = await visit(self, expectation.address)
        far = await scene.accepted()
        await send(data, b"to the server")
        self.assertEqual(await receive(far, 13), b"to the server")
        far.close()
        self.assertEqual(await receive_all(data), b"")
        self.assertEqual(made[0].client, Address(*data.getsockname()))
        self.assertEqual(made[0].server, expectation.address)

    @asynchronous
    async def test_keeps_alive(self) -> None:
        """While its bytes flow, the session that announced it is not idle; afterwards it is."""

        class Data(Inspector):
            def started(self) -> Any:
                return self.session.connect(scene.address)

        scene = self.scene(limits=ServiceLimits(idle_seconds=1.0))
        expectation, *_ = await self.announced(scene, service=Data)
        data = await visit(self, expectation.address)
        far = await scene.accepted()
        until_then = time() + 2.5
        while time() < until_then:
            await send(data, b"x")
            await receive(far, 1)
            await deferLater(reactor, 0.1, lambda: None)
        self.assertEqual(len(scene.register.running), 2)
        data.close()
        far.close()
        await scene.register.drain()
        (control,) = [one for one in scene.records() if "parent_id" not in one]
        self.assertEqual(control["gateway"]["reason"], "time limit: idle_seconds = 1")

    @asynchronous
    async def test_gone(self) -> None:
        """Whoever announced it is told when it is not expected any more, for whatever reason."""
        scene = self.scene(limits=ServiceLimits(expect_seconds=0.3))
        late, *_ = await self.announced(scene)
        session = Announcing.made[0].session
        came = await session.expect(CLIENT, Address("127.0.0.2", 0), "data")
        given_up = await session.expect(CLIENT, Address("127.0.0.2", 0), "data")
        await visit(self, came.address)
        given_up.cancel()
        await gatherResults([late.gone, came.gone, given_up.gone])

    @asynchronous
    async def test_only_one(self) -> None:
        """One connection and no more: the port is closed when it has come."""
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        await visit(self, expectation.address)
        await self.closed(scene, expectation)

    @asynchronous
    async def test_stranger(self) -> None:
        """A third party that races to the port gets a reset, and the right one still comes in."""
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        thief = await visit(self, expectation.address, "127.0.0.9")
        with self.assertRaises(OSError):
            await receive(thief, 1)
        await visit(self, expectation.address)
        await until(lambda: not scene.admission.related._expected)
        scene.admission.stop()
        reasons = [one["gateway"]["reason"] for one in scene.records()]
        self.assertIn(f"{expectation.address} was announced to 127.0.0.1 only", reasons)

    @asynchronous
    async def test_many_strangers(self) -> None:
        """So many of them, and no more: then nobody is let in any more."""
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        for number in range(STRANGERS):
            self.assertFalse(expectation.gone.called, number)
            with contextlib.suppress(OSError):
                await receive(await visit(self, expectation.address, "127.0.0.9"), 1)
        await expectation.gone
        with self.assertRaises(ConnectionRefusedError):
            await visit(self, expectation.address)

    @asynchronous
    async def test_server_connects(self) -> None:
        """An announcement to the server's side admits the server that was really reached."""
        scene = self.scene()
        expectation, *_ = await self.announced(scene, SERVER)
        self.assertEqual(expectation.initiator, "127.0.0.1")

    @asynchronous
    async def test_too_late(self) -> None:
        """What doesn't come within the time limit is not let in any more."""
        scene = self.scene(limits=ServiceLimits(expect_seconds=0.3))
        expectation, *_ = await self.announced(scene)
        await self.closed(scene, expectation)

    @asynchronous
    async def test_session_over(self) -> None:
        """With the session that announced it, the announcement is gone."""
        scene = self.scene()
        expectation, client, server = await self.announced(scene)
        client.close()
        server.close()
        await self.closed(scene, expectation)

    @asynchronous
    async def test_too_many(self) -> None:
        """A session can't announce without bound."""
        scene = self.scene(limits=ServiceLimits(expectations=1))
        await self.announced(scene)
        session = Announcing.made[0].session
        with self.assertRaises(Denied):
            await session.expect(CLIENT, Address("127.0.0.2", 0), "data")

    @asynchronous
    async def test_too_many_there(self) -> None:
        """Nor have more of them, one after the other, than it may: nobody else counts them."""

        class Quiet(Inspector):
            def started(self) -> None:
                """Stays."""

        limits = ServiceLimits(announced=2)
        scene = self.scene(limits=limits, others=(service(Quiet, "data"),))
        expectation, *_ = await self.announced(scene)
        session = Announcing.made[0].session
        await visit(self, expectation.address)
        await until(lambda: session.announced.running == 1)
        expectation = await session.expect(CLIENT, Address("127.0.0.2", 0), "data")
        data = await visit(self, expectation.address)
        await until(lambda: session.announced.running == 2)
        with self.assertRaises(Denied):
            await session.expect(CLIENT, Address("127.0.0.2", 0), "data")
        reset(data)
        await until(lambda: session.announced.running == 1)
        await session.expect(CLIENT, Address("127.0.0.2", 0), "data")

    @asynchronous
    async def test_no_descriptors(self) -> None:
        """Where nobody else is admitted for want of descriptors, nothing is announced either."""
        scene = self.scene(descriptors=4)
        await self.announced(scene)
        session = Announcing.made[0].session
        with self.assertRaises(Unreachable):
            await session.expect(CLIENT, Address("127.0.0.2", 0), "data")

    @asynchronous
    async def test_same_address(self) -> None:
        """The end of one announcement is not the end of another one of the same address."""
        scene = self.scene()
        await self.announced(scene)
        session = Announcing.made[0].session
        taken = socket.create_server(("127.0.0.3", 0))
        self.addCleanup(taken.close)
        address = Address(*taken.getsockname())
        first = await session.expect(CLIENT, address, "data")
        second = await session.expect(CLIENT, address, "data")
        first.cancel()
        self.assertIs(scene.admission.related.find("127.0.0.1", address), second)

    @asynchronous
    async def test_address_taken(self) -> None:
        """
        Where the address is taken by the server itself, on this very host, the
        divert will bring the connection; without a rule for it there is no way.
        """
        scene = self.scene()
        await self.announced(scene)
        session = Announcing.made[0].session
        taken = socket.create_server(("127.0.0.3", 0))
        self.addCleanup(taken.close)
        address = Address(*taken.getsockname())
        expectation = await session.expect(CLIENT, address, "data")
        self.assertEqual(expectation.fileno(), -1)
        expectation.cancel()
        policy = session.policy
        forwarded = evolve(policy.services["web"], action=Action.FORWARD)
        session.policy = evolve(policy, services={**policy.services, "web": forwarded})
        with self.assertRaises(Unreachable):
            await session.expect(CLIENT, address, "data")
        session.policy = evolve(policy, rules=())
        with self.assertRaises(Unreachable):
            await session.expect(CLIENT, address, "data")


class JoiningTests(TestCase):
    """C{session.join}: two announced connections become one session."""

    timeout = 30

    def setUp(self) -> None:
        Announcing.made.clear()

    async def announced(self, **limits: Any) -> tuple[Scene, Any, Any]:
        """A session that expects both of its sides, to have them meet."""
        scene = Scene(self, Announcing, limits=ServiceLimits(**limits))
        await scene.pair()
        session = Announcing.made[0].session
        far = await session.expect(SERVER, Address("127.0.0.3", 0), None)

        class Data(Inspector):
            def started(self) -> Any:
                return self.session.join(far)

        near = await session.expect(CLIENT, Address("127.0.0.2", 0), Data)
        return scene, near, far

    async def assertMeets(self, one: socket.socket, other: socket.socket) -> None:
        """What one says, the other one hears, and the ends too."""
        await send(one, b"hello")
        self.assertEqual(await receive(other, 5), b"hello")
        await send(other, b"good day")
        other.shutdown(socket.SHUT_WR)
        self.assertEqual(await receive_all(one), b"good day")

    @asynchronous
    async def test_client_first(self) -> None:
        """The client comes, and then the server: their bytes run."""
        scene, near, far = await self.announced()
        client = await visit(self, near.address)
        await until(lambda: len(scene.register.running) == 2)
        server = await visit(self, far.address)
        await self.assertMeets(client, server)
        client.close()
        await until(lambda: len(scene.register.running) == 1)
        scene.admission.stop()
        (flow,) = [one for one in scene.records() if "parent_id" in one]
        upstream = flow["gateway"]["upstream"]
        self.assertEqual(flow["gateway"]["verdict"], "passed")
        self.assertEqual(upstream["attempts"], 0)
        self.assertEqual(upstream["ip"], "127.0.0.1")
        self.assertEqual(upstream["source_port"], far.address.port)

    @asynchronous
    async def test_server_first(self) -> None:
        """The other way round: who comes first waits, and loses nothing of what it says."""
        scene, near, far = await self.announced()
        server = await visit(self, far.address)
        await send(server, b"early")
        await until(lambda: far.came)
        self.assertEqual(len(scene.register.running), 1)
        client = await visit(self, near.address)
        self.assertEqual(await receive(client, 5), b"early")
        await self.assertMeets(server, client)
        self.assertEqual(scene.register.announced, 0)

    @asynchronous
    async def test_only_one(self) -> None:
        """While the one that came waits, nobody else can come."""
        _, _, far = await self.announced()
        await visit(self, far.address)
        await until(lambda: far.came)
        with self.assertRaises(ConnectionRefusedError):
            await visit(self, far.address)

    @asynchronous
    async def test_stranger(self) -> None:
        """A third party gets a reset at either door."""
        _, near, far = await self.announced()
        for door in (near, far):
            thief = await visit(self, door.address, "127.0.0.9")
            with self.assertRaises(OSError):
                await receive(thief, 1)
        await self.assertMeets(await visit(self, near.address), await visit(self, far.address))

    @asynchronous
    async def test_nobody_joins(self) -> None:
        """Who waited in vain for the time limit gets a reset."""
        scene, _, far = await self.announced(expect_seconds=0.3)
        server = await visit(self, far.address)
        self.assertTrue(await was_reset(server))
        self.assertEqual(scene.register.announced, 0)

    @asynchronous
    async def test_nobody_comes(self) -> None:
        """A session whose server side did not come in time is answered with a reset."""
        scene, near, _ = await self.announced(expect_seconds=0.3)
        client = await visit(self, near.address)
        self.assertTrue(await was_reset(client))
        scene.admission.stop()
        (flow,) = [one for one in scene.records() if "parent_id" in one]
        self.assertEqual(flow["gateway"]["verdict"], "failed")
        self.assertIn("nobody came to 127.0.0.3", flow["gateway"]["reason"])

    @asynchronous
    async def test_too_late(self) -> None:
        """A session that joins what is not expected any more fails too."""
        scene, near, far = await self.announced()
        far.cancel()
        client = await visit(self, near.address)
        self.assertTrue(await was_reset(client))
        scene.admission.stop()
        (flow,) = [one for one in scene.records() if "parent_id" in one]
        self.assertIn("nobody came to 127.0.0.3", flow["gateway"]["reason"])

    @asynchronous
    async def test_session_over(self) -> None:
        """With the session that announced it, one that waits is reset, and one that joins fails."""
        for first in (0, 1):
            Announcing.made.clear()
            scene, *doors = await self.announced()
            peer = await visit(self, doors[first].address)
            await until(lambda door=doors[first]: door.came)
            Announcing.made[0].session.close("the test is over")
            self.assertTrue(await was_reset(peer))
            self.assertEqual(scene.register.announced, 0)

    @asynchronous
    async def test_diverted(self) -> None:
        """
        A joined connection that the divert brings to the ordinary listener is
        found there once; the next one is not taken for it.
        """
        scene, _, far = await self.announced()
        related = scene.admission.related
        found = related.find("127.0.0.1", far.address)
        self.assertIs(found, far)
        far.take(socket.socket(), Address("127.0.0.1", 1), far.address)
        self.assertIsNone(related.find("127.0.0.1", far.address))

    @asynchronous
    async def test_twice(self) -> None:
        """A session has one server side."""
        scene, _, far = await self.announced()
        session = Announcing.made[0].session
        with self.assertRaises(RuntimeError):
            await session.join(far)
        del scene


class DialingTests(TestCase):
    """C{session.dial}: the gateway connects to both sides."""

    timeout = 30

    def setUp(self) -> None:
        Announcing.made.clear()

    async def scene(self, **limits: Any) -> tuple[Scene, Any]:
        scene = Scene(self, Announcing, limits=ServiceLimits(**limits))
        await scene.pair()
        return scene, Announcing.made[0].session

    def listener(self, host: str, backlog: int = 5) -> socket.socket:
        listener = socket.create_server((host, 0), backlog=backlog)
        listener.settimeout(10)
        self.addCleanup(listener.close)
        return listener

    @asynchronous
    async def test_both(self) -> None:
        """
        Each sees the other one's address, and the port that was asked for; the
        bytes run.
        """
        scene, session = await self.scene()
        far, near = self.listener("127.0.0.1"), self.listener("127.0.0.1")
        free = self.listener("127.0.0.4")
        wanted = free.getsockname()[1]

        class Data(Inspector):
            def started(self) -> Any:
                return self.session.connect(Address(*near.getsockname()), wanted)

        reached = await session.dial(SERVER, Address(*far.getsockname()), Data)
        self.assertEqual(reached, far.getsockname())
        server, _ = await in_thread(far.accept)
        client, client_sees = await in_thread(near.accept)
        self.assertEqual(server.getpeername()[0], session.source.host)
        self.assertEqual(client_sees, (session.server.host, wanted))
        await send(server, b"hello")
        self.assertEqual(await receive(client, 5), b"hello")
        server.close()
        self.assertEqual(await receive_all(client), b"")
        client.close()
        await until(lambda: len(scene.register.running) == 1)
        scene.admission.stop()
        (flow,) = [one for one in scene.records() if "parent_id" in one]
        self.assertEqual((flow["src_ip"], flow["src_port"]), far.getsockname())
        self.assertEqual(flow["gateway"]["verdict"], "passed")

    @asynchronous
    async def test_unreachable(self) -> None:
        """If nobody listens there is no session; whoever asked is told why."""
        scene, session = await self.scene()
        listener = self.listener("127.0.0.1")
        address = Address(*listener.getsockname())
        listener.close()
        with self.assertRaisesRegex(Unreachable, "connection refused"):
            await session.dial(SERVER, address, Inspector)
        self.assertEqual(len(scene.register.running), 1)
        self.assertEqual(scene.register.announced, 0)

    @asynchronous
    async def test_nobody_inspects(self) -> None:
        """A service that doesn't inspect gets no connection, and nothing is left of that one."""
        scene, session = await self.scene()
        other = evolve(service(name="other"), maker=None, action=Action.FORWARD)
        policy = session.policy
        session.policy = evolve(policy, services={**policy.services, "other": other})
        watched = len(scene.poller._watches)
        await session.dial(SERVER, Address(*self.listener("127.0.0.1").getsockname()), "other")
        self.assertEqual(len(scene.poller._watches), watched)
        self.assertEqual(len(scene.register.running), 1)

    @asynchronous
    async def test_no_answer(self) -> None:
        """Nor if there is no answer in time."""
        _, session = await self.scene(connect_seconds=0.3)
        full = self.listener("127.0.0.1", backlog=0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            self.addCleanup(one.close)
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with self.assertRaisesRegex(Unreachable, "timed out"):
            await session.dial(SERVER, Address(*full.getsockname()), Inspector)

    @asynchronous
    async def test_given_up(self) -> None:
        """Whoever asked may give up, or be over: then there is no session, and nothing is left."""
        for end in ("cancel", "deny"):
            Announcing.made.clear()
            scene, session = await self.scene()
            listener = self.listener("127.0.0.1")
            dialed = session.dial(SERVER, Address(*listener.getsockname()), Inspector)
            self.assertEqual(scene.register.announced, 1)
            dialed.addErrback(lambda failure: failure.trap(CancelledError))
            if end == "cancel":
                dialed.cancel()
            else:
                session.deny("over")
                self.assertFalse(dialed.called)
            self.assertEqual(scene.register.announced, 0)
            await deferLater(reactor, 0.05, lambda: None)
            self.assertLessEqual(len(scene.register.running), 1)

    @asynchronous
    async def test_third_party(self) -> None:
        """Nobody is connected to but the two peers: not by dialing, and not from there."""
        scene, session = await self.scene()
        other, far = self.listener("127.0.0.9"), self.listener("127.0.0.1")
        with self.assertRaises(Denied):
            await session.dial(SERVER, Address(*other.getsockname()), Inspector)

        class Data(Inspector):
            def started(self) -> Any:
                return self.session.connect(Address(*other.getsockname()))

        await session.dial(SERVER, Address(*far.getsockname()), Data)
        await until(lambda: len(scene.register.running) == 1)
        scene.admission.stop()
        (flow,) = [one for one in scene.records() if "parent_id" in one]
        self.assertIn("the policy has no connection to 127.0.0.9", flow["gateway"]["reason"])

    @asynchronous
    async def test_too_many(self) -> None:
        """They count among what a session may have announced."""
        _, session = await self.scene(expectations=1)
        await session.expect(CLIENT, Address("127.0.0.2", 0), "web")
        with self.assertRaises(Denied):
            await session.dial(SERVER, Address("127.0.0.1", 1), Inspector)


class SpeakingTests(TestCase):
    """What else an inspector that announces connections wants to know."""

    timeout = 30

    @asynchronous
    async def test_flushed(self) -> None:
        """It is told when all that it sent has left, and not before."""
        Announcing.made.clear()
        scene = Scene(self, Announcing)
        client, _ = await scene.pair()
        session = Announcing.made[0].session
        self.assertTrue(session.flushed(CLIENT).called)
        session.send(CLIENT, bytes(16_000_000))
        flushed = session.flushed(CLIENT)
        await deferLater(reactor, 0.1, lambda: None)
        self.assertFalse(flushed.called)
        left = 16_000_000
        while left:
            left -= len(await receive(client, min(left, 65536)))
        await flushed

    @asynchronous
    async def test_source(self) -> None:
        """It knows which address the server sees: here the gateway's own."""
        Announcing.made.clear()
        scene = Scene(self, Announcing)
        client, server = await scene.pair()
        session = Announcing.made[0].session
        self.assertEqual(session.client, client.getsockname())
        self.assertEqual(session.source, server.getpeername())

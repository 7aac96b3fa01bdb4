"""Announced connections: the gateway lets in exactly the one that was announced."""

from __future__ import annotations

import contextlib
import socket
from time import time
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector
from gateway.interfaces import CLIENT, SERVER, Address, Denied, Unreachable
from gateway.policy.limits import ServiceLimits
from protocols.relay import RelayInspector
from tests.session.scene import (
    Scene,
    asynchronous,
    in_thread,
    receive,
    receive_all,
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

    def scene(self, **arguments: Any) -> Scene:
        arguments.setdefault("others", (service(RelayInspector, "data"),))
        return Scene(self, Announcing, **arguments)

    async def visit(self, address: Address, source: str = "127.0.0.1") -> socket.socket:
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.settimeout(10)
        sock.bind((source, 0))
        with contextlib.suppress(ConnectionResetError):
            await in_thread(sock.connect, address)
        return sock

    @asynchronous
    async def test_it_comes(self) -> None:
        """
        The connection that was announced becomes a session of its own, with
        the same flow_id as parent, and goes to the announced address.
        """
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        self.assertNotEqual(expectation.address.port, 0)
        data = await self.visit(expectation.address)
        # The real server would listen there; on loopback the address was ours for one accept.
        with self.assertRaises(OSError):
            await receive(data, 1)
        await until(lambda: len(scene.sessions.running) == 1)
        scene.sessions.stop()
        flows = {one["gateway"]["service"]: one for one in scene.records()}
        self.assertEqual(flows["data"]["parent_id"], flows["web"]["flow_id"])
        self.assertEqual(flows["data"]["dest_port"], expectation.address.port)
        self.assertIn("connection refused", flows["data"]["gateway"]["reason"])

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
        data = await self.visit(expectation.address)
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
        data = await self.visit(expectation.address)
        far = await scene.accepted()
        until_then = time() + 2.5
        while time() < until_then:
            await send(data, b"x")
            await receive(far, 1)
            await deferLater(reactor, 0.1, lambda: None)
        self.assertEqual(len(scene.sessions.running), 2)
        data.close()
        far.close()
        await scene.sessions.drain()
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
        await self.visit(came.address)
        given_up.cancel()
        await gatherResults([late.gone, came.gone, given_up.gone])

    @asynchronous
    async def test_only_one(self) -> None:
        """One connection and no more: the port is closed when it has come."""
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        await self.visit(expectation.address)
        await until(lambda: not scene.sessions._expected)
        with self.assertRaises(ConnectionRefusedError):
            await self.visit(expectation.address)

    @asynchronous
    async def test_stranger(self) -> None:
        """A third party that races to the port gets a reset, and the right one still comes in."""
        scene = self.scene()
        expectation, *_ = await self.announced(scene)
        thief = await self.visit(expectation.address, "127.0.0.9")
        with self.assertRaises(OSError):
            await receive(thief, 1)
        await self.visit(expectation.address)
        await until(lambda: not scene.sessions._expected)
        scene.sessions.stop()
        reasons = [one["gateway"]["reason"] for one in scene.records()]
        self.assertIn(f"{expectation.address} was announced to 127.0.0.1 only", reasons)

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
        await until(lambda: not scene.sessions._expected)
        with self.assertRaises(ConnectionRefusedError):
            await self.visit(expectation.address)

    @asynchronous
    async def test_session_over(self) -> None:
        """With the session that announced it, the announcement is gone."""
        scene = self.scene()
        expectation, client, server = await self.announced(scene)
        client.close()
        server.close()
        await until(lambda: not scene.sessions._expected)
        with self.assertRaises(ConnectionRefusedError):
            await self.visit(expectation.address)

    @asynchronous
    async def test_too_many(self) -> None:
        """A session can't announce without bound."""
        scene = self.scene(limits=ServiceLimits(expectations=1))
        await self.announced(scene)
        session = Announcing.made[0].session
        with self.assertRaises(Denied):
            await session.expect(CLIENT, Address("127.0.0.2", 0), "data")

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
        session.policy = evolve(session.policy, rules=())
        with self.assertRaises(Unreachable):
            await session.expect(CLIENT, address, "data")


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

"""The rest of a session for another service's inspector; and other places to connect to."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector, Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER, Address, Denied, Verdict
from gateway.policy.connection import Protocol
from gateway.policy.notation import read_network
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
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

TOLD: list[str] = []


class Opening(StreamInspector):
    """A line, and the rest is somebody else's."""

    async def from_client(self, read: Reader) -> None:
        line = await read.line(100)
        await self.session.connect()
        self.session.send(SERVER, line + b"\r\n")
        self.hand_over("shout")
        await read.line(100)

    def started(self) -> None:
        """Not yet."""

    def closed(self, verdict: Verdict) -> None:
        TOLD.append(f"opening {verdict.outcome.value}")
        super().closed(verdict)


class Shouting(Inspector):
    """Says everything louder."""

    waits: Deferred[None] | None = None

    def started(self) -> Any:
        connected = self.session.connect()
        connected.addCallback(lambda address: TOLD.append(f"reached {address.port}"))
        return self.waits

    def received(self, side: Any, data: bytes) -> None:
        self.session.send(side.other, data.upper())

    def closed(self, verdict: Verdict) -> None:
        TOLD.append(f"shouting {verdict.outcome.value}")


class HandOverTests(TestCase):
    """C{session.hand_over}."""

    timeout = 30

    def setUp(self) -> None:
        TOLD.clear()
        Shouting.waits = None

    @asynchronous
    async def test_the_rest(self) -> None:
        """The other inspector gets what was unread, both directions, and the end; one record."""
        scene = Scene(self, Opening, (service(Shouting, "shout"),))
        client = scene.connect()
        await send(client, b"open\r\nat once")
        server = await scene.accepted()
        self.assertEqual(await receive(server, 13), b"open\r\nAT ONCE")
        await send(server, b"answer")
        self.assertEqual(await receive(client, 6), b"ANSWER")
        await send(client, b", later")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(await receive_all(server), b", LATER")
        server.close()
        self.assertEqual(await receive_all(client), b"")
        client.close()
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "passed")
        self.assertEqual(flow["gateway"]["service"], "web")
        told = [f"reached {scene.address.port}", "opening passed", "shouting passed"]
        self.assertEqual(TOLD, told)

    @asynchronous
    async def test_decides_first(self) -> None:
        """An inspector that awaits a decision before it begins gets nothing before that."""
        waits = Shouting.waits = Deferred()
        scene = Scene(self, Opening, (service(Shouting, "shout"),))
        client = scene.connect()
        await send(client, b"open\r\nsecret")
        client.shutdown(socket.SHUT_WR)
        server = await scene.accepted()
        await until(lambda: TOLD)
        self.assertEqual(await receive(server, 6), b"open\r\n")
        server.setblocking(False)
        self.assertRaises(BlockingIOError, server.recv, 1)
        server.setblocking(True)
        waits.callback(None)
        self.assertEqual(await receive_all(server), b"SECRET")

    @asynchronous
    async def test_decides_first_of_all(self) -> None:
        """So it is where the session was handed over before anything was read."""

        class Never(Inspector):
            def started(self) -> None:
                self.session.hand_over("shout", {})

            def closed(self, verdict: Verdict) -> None:
                """Nothing is left of it."""

        class Deciding(Shouting):
            def received(self, side: Any, data: bytes) -> None:
                TOLD.append(data.decode())
                super().received(side, data)

        waits = Shouting.waits = Deferred()
        scene = Scene(self, Never, (service(Deciding, "shout"),))
        client = scene.connect()
        await send(client, b"secret")
        server = await scene.accepted()
        await until(lambda: TOLD)
        await receive(server, 0)  # the session has its turn
        self.assertEqual(TOLD, [f"reached {scene.address.port}"])
        waits.callback(None)
        self.assertEqual(await receive(server, 6), b"SECRET")

    @asynchronous
    async def test_not_for_me_either(self) -> None:
        """What an inspector awaits that has handed over, at once or later, nobody waits for."""
        for at_once in (True, False):
            made: list[Inspector] = []

            class Between(Inspector):
                """Begins to wait, and finds that it is for another one."""

                def started(self, at_once: bool = at_once, made: Any = made) -> Any:
                    made.append(self)
                    if at_once:
                        self.session.hand_over("last", {})
                    return Deferred()

            services = (service(Between, "shout"), service(Shouting, "last"))
            scene = Scene(self, Opening, services)
            client = scene.connect()
            await send(client, b"open\r\nat once")
            server = await scene.accepted()
            await until(lambda made=made: made)
            if not at_once:
                made[0].session.hand_over("last", {})
            self.assertEqual(await receive(server, 13), b"open\r\nAT ONCE")
            await send(client, b", later")
            self.assertEqual(await receive(server, 7), b", LATER")

    @asynchronous
    async def test_decision_about_the_unread(self) -> None:
        """An inspector that awaits a decision on what was unread is not told more before that."""
        decision: Deferred[None] = Deferred()
        told: list[bytes] = []

        class Deciding(Shouting):
            def received(self, side: Any, data: bytes) -> Any:
                told.append(data)
                return decision if len(told) == 1 else None

        scene = Scene(self, Opening, (service(Deciding, "shout"),))
        client = scene.connect()
        await send(client, b"open\r\nunread")
        server = await scene.accepted()
        await until(lambda: told)
        await send(client, b"more")
        await send(server, b"answer")
        await until(lambda: b"answer" in told)
        self.assertEqual(told, [b"unread", b"answer"])
        decision.callback(None)
        await until(lambda: told[2:] == [b"more"])

    @asynchronous
    async def test_decides_against_it(self) -> None:
        """An inspector that decides not to begin denies the session."""
        Shouting.waits = fail(Denied("not now"))
        scene = Scene(self, Opening, (service(Shouting, "shout"),))
        client = scene.connect()
        await send(client, b"open\r\nsecret")
        with self.assertRaises(ConnectionResetError):
            await receive_all(client)
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "denied")
        self.assertEqual(flow["gateway"]["reason"], "not now")

    @asynchronous
    async def test_settings(self) -> None:
        """The other inspector has its own service's settings."""
        found: list[Any] = []

        class Asking(Shouting):
            def started(self) -> None:
                found.append(self.session.settings)
                self.session.connect()

        scene = Scene(
            self, Opening, (service(Asking, "shout", settings="shouted"),), settings="web"
        )
        client = scene.connect()
        await send(client, b"open\r\n")
        await scene.accepted()
        await until(lambda: found)
        self.assertEqual(found, ["shouted"])

    @asynchronous
    async def test_awaited_before(self) -> None:
        """A decision that the former inspector awaited does not keep a side from being read."""
        never: Deferred[None] = Deferred()

        class Late(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(100)
                self.hand_over("shout")
                await read.line(100)

            async def from_server(self, read: Reader) -> None:
                await read.line(100)
                await never

        scene = Scene(self, Late, (service(Shouting, "shout"),))
        client, server = await scene.pair()
        client.sendall(b"half")
        server.sendall(b"line\r\n")
        await receive(server, 0)
        await until(lambda: scene.register.running)
        await send(client, b"\r\nwhole")
        self.assertEqual(await receive(server, 5), b"WHOLE")
        await send(server, b"answer")
        self.assertEqual(await receive(client, 6), b"ANSWER")

    @asynchronous
    async def test_awaited_behind(self) -> None:
        """Nor one that it awaits for what it has handed over in."""

        class First(Inspector):
            """Hands over at the start, or with the first bytes."""

            at_once = True

            def started(self) -> Any:
                return self.over(b"") if self.at_once else None

            def received(self, side: Any, data: bytes) -> Any:
                return self.over(data)

            def over(self, data: bytes) -> Any:
                self.session.hand_over("shout", {CLIENT: data})
                return Deferred()

            def closed(self, verdict: Verdict) -> None:
                """Nothing is left of it."""

        for First.at_once in (True, False):
            scene = Scene(self, First, (service(Shouting, "shout"),))
            client = scene.connect()
            await send(client, b"half ")
            server = await scene.accepted()
            self.assertEqual(await receive(server, 5), b"HALF ")
            await send(client, b"whole")
            self.assertEqual(await receive(server, 5), b"WHOLE")

    @asynchronous
    async def test_half_closed_before(self) -> None:
        """A server that had said all it has to say has said so to the other inspector too."""

        class Late(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.line(100)
                self.hand_over("shout")

            def ended(self, side: Any) -> Any:
                halves.append(side.value)  # and keeps it to itself

        halves: list[str] = []
        scene = Scene(self, Late, (service(Shouting, "shout"),))
        client, server = await scene.pair()
        server.shutdown(socket.SHUT_WR)
        await until(lambda: halves)
        await send(client, b"line\r\nrest")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(await receive_all(server), b"REST")
        self.assertEqual(await receive_all(client), b"")

    @asynchronous
    async def test_no_such_service(self) -> None:
        """Without the other service nothing passes uninspected: a bug, and the end."""
        scene = Scene(self, Opening)
        client = scene.connect()
        await send(client, b"open\r\nmore")
        server = await scene.accepted()
        with self.assertRaises(ConnectionResetError):
            await receive_all(server)
        self.assertEqual((await scene.over())["gateway"]["verdict"], "broken")
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class ElsewhereTests(TestCase):
    """C{session.connect(address)} and C{session.permits}."""

    timeout = 30

    def scene(self, making: Any, *rules: Rule) -> Scene:
        scene = Scene(self, making)
        web = scene.policy.services["web"]
        scene.admission.policy = Policy(
            services={"web": web, "other": service(name="other")}, rules=rules
        )
        return scene

    @asynchronous
    async def test_permits(self) -> None:
        """
        An inspector can connect where its client could by itself, through the same service;
        not to what another service is for, to what no rule is for, or to the gateway itself.
        """
        permitted: dict[str, bool] = {}

        class Asking(Inspector):
            def started(self) -> Any:
                for host in ("192.0.2.1", "198.51.100.9", "203.0.113.1", "127.0.0.9", "127.0.0.1"):
                    permitted[host] = self.session.permits(Address(host, 80))
                return self.session.connect(Address("198.51.100.9", 80))

        scene = self.scene(
            Asking,
            Rule("other", destinations=(read_network("198.51.100.9"),), protocol=Protocol.TCP),
            Rule("web", destinations=(read_network("198.51.100.0/24"),)),
            Rule("web", destinations=(read_network("192.0.2.0/24"),)),
            Rule("web", destinations=(read_network("127.0.0.0/8"),)),
        )
        client = scene.connect()
        with self.assertRaises(ConnectionResetError):
            await receive_all(client)
        self.assertEqual(
            permitted,
            {
                "192.0.2.1": True,
                "198.51.100.9": False,
                "203.0.113.1": False,
                "127.0.0.9": False,
                "127.0.0.1": True,  # the original destination
            },
        )
        flow = await scene.over()
        self.assertEqual(flow["gateway"]["verdict"], "denied")
        self.assertIn("198.51.100.9:80", flow["gateway"]["reason"])

    @asynchronous
    async def test_another_port(self) -> None:
        """Another port of the original destination is the protocol's business."""
        other = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(other.close)

        class Moving(Inspector):
            def started(self) -> Any:
                return self.session.connect(Address(*other.getsockname()))

        scene = self.scene(Moving, Rule("web"))
        client = scene.connect()
        server, _ = await in_thread(other.accept)
        self.addCleanup(server.close)
        await send(client, b"x")
        self.assertEqual(await receive(server, 1), b"x")

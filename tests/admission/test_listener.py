"""Accepting only what there is room for."""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from gateway.admission import register as register_module
from gateway.admission.listener import Listener
from gateway.admission.listeners import Place, places
from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.policy.connection import Protocol
from gateway.policy.limits import Limits
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Service
from tests.session.scene import Scene, asynchronous, receive, until


class ListenerTests(TestCase):
    """A listener on loopback, where nothing is diverted: all it can do is refuse."""

    timeout = 20

    def listener(self, scene: Scene) -> Listener:
        listener = Listener(
            reactor, sockets.listen(Address("127.0.0.1", 0), 0, 16), scene.admission
        )
        self.addCleanup(listener.stop)
        listener.resume()
        return listener

    def connect(self, listener: Listener) -> socket.socket:
        client = socket.create_connection(listener.address, 5)
        self.addCleanup(client.close)
        return client

    @asynchronous
    async def test_direct(self) -> None:
        """A scan of the listener's port is answered with a reset, and recorded."""
        scene = Scene(self)
        client = self.connect(self.listener(scene))
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        (record,) = scene.records()
        self.assertEqual(record["gateway"]["verdict"], "denied")

    @asynchronous
    async def test_all_at_once(self) -> None:
        """Those who wait are all taken in one turn, and nobody is waited for."""
        scene = Scene(self)
        sock = sockets.listen(Address("127.0.0.1", 0), 0, 16)
        listener = Listener(reactor, sock, scene.admission)
        self.addCleanup(listener.stop)
        clients = [self.connect(listener) for _ in range(5)]
        self.assertEqual(sockets.waiting(sock), 5)
        listener.doRead()
        self.assertEqual(sockets.waiting(sock), 0)
        for client in clients:
            with self.assertRaises(ConnectionResetError):
                await receive(client, 1)
        self.assertEqual(len(scene.records()), 5)

    @asynchronous
    async def test_no_room(self) -> None:
        """
        With no room, connections wait in the kernel's queue; they are served
        when a session has ended, and running sessions notice nothing.
        """
        scene = Scene(self, all_limits=Limits(sessions=1))
        listener = self.listener(scene)
        running, server = await scene.pair()
        waiting = self.connect(listener)
        await until(lambda: scene.register._waiting)
        self.assertEqual(len(scene.register.running), 1)
        running.close()
        server.close()
        with self.assertRaises(ConnectionResetError):  # accepted now, and refused as direct
            await receive(waiting, 1)

    @asynchronous
    async def test_shortage(self) -> None:
        """Out of memory or descriptors: accepting is tried again, without anybody telling."""
        scene = Scene(self)
        listener = self.listener(scene)
        self.patch(register_module, "RETRY", 0.3)
        real = sockets.accept
        shortages = iter([errno.EMFILE, errno.ENOBUFS])

        def accept(sock: socket.socket) -> Any:
            code = next(shortages, 0)
            if code:
                raise OSError(code, "short of something")
            return real(sock)

        self.patch(sockets, "accept", accept)
        client = self.connect(listener)
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)

    @asynchronous
    async def test_bug(self) -> None:
        """A connection that can't be admitted is recorded; the next one is taken as ever."""
        scene = Scene(self)
        listener = self.listener(scene)
        real = sockets.is_ours
        shortages = iter([errno.ENFILE])

        def is_ours(host: str) -> bool:
            for code in shortages:
                raise OSError(code, "short of something")
            return real(host)

        self.patch(sockets, "is_ours", is_ours)
        for _ in range(2):
            with self.assertRaises(ConnectionResetError):
                await receive(self.connect(listener), 1)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertGreaterEqual(listener.fileno(), 0)
        verdicts = [record["gateway"]["verdict"] for record in scene.records()]
        self.assertEqual(verdicts, ["broken", "denied"])

    def test_taken(self) -> None:
        """A port that is taken is an error, not a surprise."""
        scene = Scene(self)
        listener = self.listener(scene)
        with self.assertRaises(OSError) as caught:
            sockets.listen(listener.address, 0, 1)
        self.assertEqual(caught.exception.errno, errno.EADDRINUSE)


class PlacesTests(TestCase):
    """Which listeners a policy needs."""

    def test_places(self) -> None:
        """One for each interface that rules name, one for the rest; UDP if a rule wants it."""
        rules = (
            Rule("a", interfaces=frozenset({"lan1"})),
            Rule("a", protocol=Protocol.UDP, interfaces=frozenset({"lan0"})),
            Rule("b", protocol=Protocol.UDP),
        )
        services = {"a": Service("a"), "b": Service("b", action=Action.DENY)}
        found = places(Policy(rules=rules, services=services))
        self.assertEqual(
            {(one.address.port, one.interface) for one in found},
            {(50080, None), (50081, "lan0"), (50082, "lan1")},
        )
        self.assertIn(Place(Address("::", 50081), Protocol.UDP, "lan0"), found)
        self.assertEqual(len(found), 12)

    def test_no_udp(self) -> None:
        """Without a UDP rule there is no UDP listener to scan."""
        found = places(Policy(rules=(Rule("a"),), services={"a": Service("a")}))
        self.assertEqual({one.protocol for one in found}, {Protocol.TCP})

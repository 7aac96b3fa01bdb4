"""HTTP on a simulated network: one client's connection, one server's after the other."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.inspector import Inspector
from gateway.interfaces import SERVER, Outcome, Side, Verdict
from gateway.policy.service import Source
from gateway.testing.world.network import Attempt
from gateway.testing.world.peer import Peer
from gateway.testing.world.world import World, inspecting
from protocols.http.inspector import HttpInspector
from protocols.http.policy.settings import HttpSettings

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"


class OutlivedTests(SynchronousTestCase):
    """The real session, with its descriptors, its addresses and its record."""

    def begin(self, **fields: object) -> Peer:
        """A client that has come."""
        self.world = World([inspecting(HttpInspector, settings=HttpSettings(), **fields)])
        self.attempts: list[Attempt] = []
        self.world.network.asked = self.attempts.append
        self.client = self.world.comes()
        self.world.settle()
        return self.client

    def asks(self, number: int) -> Peer:
        """The client asks, and gets to a server that is there for it alone."""
        self.client.says(GET % number)
        self.world.settle()
        server = self.attempts[-1].accepts()
        self.world.settle()
        self.assertEqual(server.heard, GET % number)
        return server

    def says(self, server: Peer, data: bytes) -> None:
        """The server answers."""
        server.says(data)
        self.world.settle()

    def test_one_after_the_other(self) -> None:
        """
        However servers part, the next one is asked, from the same address and port; nothing of the
        former one is left but its bytes in the record.
        """
        client = self.begin()
        ways = (
            (OK, Peer.ends),
            (OK, Peer.resets),
            (CLOSE, Peer.closes),
            (CLOSE, Peer.resets),
            (CLOSE, None),
            (OK, Peer.closes),
        )
        there = 0
        for number, (answer, go) in enumerate(ways, 1):
            server = self.asks(number)
            there = there or len(self.world.network.there)
            self.assertEqual(len(self.world.network.there), there)
            self.says(server, answer)
            if go is not None:
                go(server)
                self.world.settle()
            self.assertEqual(client.heard, OK * number)
            self.assertFalse(client.heard_end or client.was_reset)
        self.assertEqual({one.source for one in self.attempts}, {client.address})
        client.ends()
        self.world.settle()
        (flow,) = self.world.flows
        self.assertEqual(flow.verdict, Verdict(Outcome.PASSED, ""))
        self.assertEqual((flow.to_server, flow.to_client), (len(GET % 1) * 6, len(OK) * 6))
        assert flow.upstream is not None
        self.assertEqual(flow.upstream.connections, len(ways))

    def test_who_closes_first(self) -> None:
        """
        Who closes first keeps the pair of ports. A server that said that it closes is left to do
        so, and is reset only when the next request needs the ports.
        """
        for closes in (True, False):
            self.begin()
            former = self.asks(1)
            self.says(former, CLOSE)
            self.assertFalse(former.heard_end)
            if closes:
                former.ends()
                self.world.settle()
                self.assertTrue(former.heard_end)
            self.asks(2)
            self.assertEqual(former.was_reset, not closes)

    def test_late_words(self) -> None:
        """What a former server says when there is another one reaches nobody."""
        client = self.begin()
        former = self.asks(1)
        self.says(former, CLOSE)
        server = self.asks(2)
        self.says(former, OK)
        self.assertEqual(client.heard, OK)
        self.says(server, OK)
        self.assertEqual(client.heard, OK + OK)

    def test_nobody_there(self) -> None:
        """The next server refuses, or is too slow: the client reads so, as it would at first."""
        for refuses in (True, False):
            client = self.begin()
            self.says(self.asks(1), CLOSE)
            client.says(GET % 2)
            self.world.settle()
            if refuses:
                self.attempts[-1].refuses()
            self.world.pass_time(60)
            self.assertIn(b"HTTP/1.1 502 " if refuses else b"HTTP/1.1 504 ", client.heard)

    def test_gone_when_the_client_is(self) -> None:
        """A client that goes, or falls silent, while there is no server, ends the session."""
        for go in (Peer.ends, Peer.resets, Peer.closes, None):
            for parts in (Peer.ends, Peer.resets):
                client = self.begin()
                server = self.asks(1)
                self.says(server, OK)
                parts(server)
                self.world.settle()
                if go is not None:
                    go(client)
                self.world.settle()
                self.world.pass_time(400)
                self.assertEqual(len(self.world.flows), 1, (go, parts))
                self.assertEqual(len(self.world.register.running), 0)

    def test_nothing_stays(self) -> None:
        """Nothing of all that waits for the garbage collector."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        client = self.begin()
        session = weakref.ref(next(iter(self.world.register.running.values())))
        for number in (1, 2, 3):
            server = self.asks(number)
            self.says(server, OK)
            server.resets()
            self.world.settle()
        self.assertIsNotNone(session())
        client.ends()
        self.world.settle()
        self.assertIsNone(session())

    def test_own_port_only(self) -> None:
        """Where the server has to see the client's own port, both connections end together."""
        client = self.begin(source=Source.CLIENT_STRICT)
        server = self.asks(1)
        self.says(server, CLOSE)
        self.assertIn(b"Connection: close", client.heard)
        self.assertTrue(client.heard_end)

    def test_port_that_is_taken(self) -> None:
        """Else any port of the client's does, as with the first server."""
        client = self.begin()
        self.says(self.asks(1), CLOSE)
        self.world.network.taken.add(client.address)
        self.asks(2)
        first, second = (one.source for one in self.attempts)
        self.assertEqual((first.host, second.host), (client.address.host,) * 2)
        self.assertNotEqual(first, second)


class Handing(Inspector):
    """Agrees with the server on something, and leaves the rest to another service."""

    def received(self, side: Side, data: bytes) -> None:
        self.session.send(side.other, data)
        if side is SERVER:
            self.session.hand_over("inner", {})


class Careless(Inspector):
    """Wants another server, whatever the first one was."""

    def ended(self, side: Side) -> None:
        self.session.connect()


class FollowingTests(SynchronousTestCase):
    """Where the server was another inspector's to agree with: in a tunnel, in TLS."""

    def begin(self, inner: Any) -> tuple[World, Peer, list[Attempt], Peer]:
        """A session that was handed over."""
        settings = HttpSettings() if inner is HttpInspector else None
        world = World([inspecting(Handing), inspecting(inner, "inner", settings=settings)])
        attempts: list[Attempt] = []
        world.network.asked = attempts.append
        client = world.comes()
        world.settle()
        server = attempts[0].accepts()
        world.settle()
        server.says(b"agreed\r\n")
        world.settle()
        self.assertEqual(client.heard, b"agreed\r\n")
        return world, client, attempts, server

    def test_together(self) -> None:
        """The client's connection ends with the server's."""
        for answer in (CLOSE, OK):
            world, client, attempts, server = self.begin(HttpInspector)
            client.says(GET % 1)
            world.settle()
            server.says(answer)
            server.ends()
            world.settle()
            self.assertEqual(client.heard, b"agreed\r\n" + answer)
            self.assertTrue(client.heard_end)
            self.assertEqual(len(attempts), 1)

    def test_careless(self) -> None:
        """An inspector that asks for another one does not get a connection without all that."""
        world, client, attempts, server = self.begin(Careless)
        server.ends()
        world.settle()
        self.assertEqual(len(attempts), 1)
        self.assertTrue(client.was_reset)
        self.assertIs(world.flows[0].verdict.outcome, Outcome.FAILED)
        self.assertIn("has gone", world.flows[0].verdict.reason)

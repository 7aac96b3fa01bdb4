"""The server side, opened from the client's address; real sockets on loopback."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gateway.interfaces import Address, Unreachable
from gateway.policy.service import Source, Target
from gateway.wire.connector import Connector, Origin, origin
from gateway.wire.names import Names
from gateway.wire.poller import Poller
from tests.session.scene import asynchronous

CLIENT = Address("127.0.0.77", 45678)


class OriginTests(SynchronousTestCase):
    """What a service's C{source} means."""

    def test_sources(self) -> None:
        """Each value has its meaning; an address means itself with any port."""
        expected = {
            Source.CLIENT: Origin(CLIENT),
            Source.CLIENT_STRICT: Origin(CLIENT, strict=True),
            Source.CLIENT_ADDRESS: Origin(Address(CLIENT.host, 0)),
            Source.GATEWAY: Origin(None),
            "127.0.0.5": Origin(Address("127.0.0.5", 0)),
        }
        self.assertEqual({source: origin(source, CLIENT) for source in expected}, expected)

    def test_other_family(self) -> None:
        """Towards a server of the other IP version the client's address can't be kept."""
        self.assertEqual(Origin(CLIENT).towards(Address("::1", 80)), None)
        self.assertEqual(Origin(CLIENT).towards(Address("10.0.0.1", 80)), CLIENT)


def look_up(name: str) -> tuple[str, ...]:
    """What a name server says, without one."""
    if name == "no-answer.example":
        raise Unreachable(f"{name}: no answer")
    return {"local.example": ("127.0.0.9", "127.0.0.1")}.get(name, ())


class ConnectorTests(TestCase):
    """Where connections come from, and where they go when they can't."""

    timeout = 20

    def setUp(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.target = Target(*self.server.getsockname())
        self.poller = Poller(reactor)
        self.addCleanup(self.poller.stop)

    def open(self, *targets: Target, source: Any = Source.CLIENT) -> Deferred[Any]:
        """Fires with what was reached, or with the reason why nothing was."""
        done: Deferred[Any] = Deferred()

        def reached(reached: Any) -> None:
            self.addCleanup(reached.socket.close)
            done.callback(reached)

        self.opening = Connector(self.poller, 0, Names(look_up=look_up)).open(
            targets, origin(source, CLIENT), reached, done.callback
        )
        return done

    @asynchronous
    async def test_address_and_port(self) -> None:
        """The server sees the client's address and port."""
        reached = await self.open(self.target)
        self.assertEqual(self.server.accept()[1], CLIENT)
        self.assertEqual((reached.source, reached.port_kept), (CLIENT, True))

    @asynchronous
    async def test_port_to_two_servers(self) -> None:
        """A client may use one port to two servers at the same time, so may we."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            await self.open(self.target)
            reached = await self.open(Target(*other.getsockname()))
            self.assertTrue(reached.port_kept)

    @asynchronous
    async def test_port_taken(self) -> None:
        """If exactly this connection exists already, another port of the client is used."""
        await self.open(self.target)
        reached = await self.open(self.target)
        self.assertEqual(reached.source.host, CLIENT.host)
        self.assertNotEqual(reached.source.port, CLIENT.port)
        self.assertFalse(reached.port_kept)

    @asynchronous
    async def test_strict(self) -> None:
        """Whoever asks for the port or nothing gets nothing."""
        await self.open(self.target)
        self.assertIn("in use", await self.open(self.target, source=Source.CLIENT_STRICT))

    @asynchronous
    async def test_address_only(self) -> None:
        """The client's address with any port."""
        reached = await self.open(self.target, source=Source.CLIENT_ADDRESS)
        self.assertEqual(self.server.accept()[1], reached.source)
        self.assertEqual(reached.source.host, CLIENT.host)

    @asynchronous
    async def test_many_ports(self) -> None:
        """With any port, the same one serves several destinations: ports do not run out early."""
        reached = [await self.open(self.target, source=Source.CLIENT_ADDRESS) for _ in range(20)]
        self.assertEqual(len({one.source for one in reached}), 20)

    @asynchronous
    async def test_gateway(self) -> None:
        """The gateway's own address."""
        await self.open(self.target, source=Source.GATEWAY)
        self.assertEqual(self.server.accept()[1][0], "127.0.0.1")

    @asynchronous
    async def test_nobody(self) -> None:
        """If nobody can be reached, each target has its reason."""
        self.server.close()
        names = ("no-such-name.example", "no-answer.example")
        why = await self.open(self.target, *(Target(name, 80) for name in names))
        self.assertEqual(
            why,
            f"127.0.0.1:{self.target.port}: connection refused; "
            "no-such-name.example: the name has no address; no-answer.example: no answer",
        )

    @asynchronous
    async def test_name(self) -> None:
        """All addresses of a name are tried, in the order in which the name server has them."""
        reached = await self.open(Target("local.example", self.target.port))
        self.assertEqual(reached.server, Address(*self.server.getsockname()))
        self.assertEqual(reached.attempts, 2)

    @asynchronous
    async def test_expired(self) -> None:
        """An attempt that takes too long makes room for the next one, and is closed."""
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())
            done = self.open(Target(*deaf.getsockname()), self.target)
            self.opening.expire()
            reached = await done
            self.assertEqual(reached.server, Address(*self.target))
            self.assertEqual(reached.attempts, 2)

    @asynchronous
    async def test_abandoned(self) -> None:
        """Whoever doesn't want it any more hears nothing of it."""
        done = self.open(self.target)
        self.opening.abandon()
        self.opening.expire()
        self.assertNoResult(done)

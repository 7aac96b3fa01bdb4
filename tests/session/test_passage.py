"""A session on its way into the kernel, with somebody in the carrier's place."""

from __future__ import annotations

import select
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gateway.policy.limits import ServiceLimits
from gateway.release.passage import NoPassages, Passage, Stays
from gateway.session.session import Session
from tests.session.scene import Scene, in_thread

TURNS = 20
"""Of the reactor: by then it has read what there is to read."""


class Conveyor(NoPassages):
    """Takes every session, and leaves the carrier's part to the test."""

    asked = True

    def __init__(self) -> None:
        self.passage: Deferred[Passage] = Deferred()
        self.done: list[str] = []

    def begin(self, session: Any, legs: Any) -> Passage:
        return Passage(self, session, legs, 0.0)

    def stays(self, why: str) -> Stays:
        return Stays(why)

    def switch(self, passage: Passage, legs: Any, pending: Any) -> None:
        self.passage.callback(passage)

    def let_go(self, passage: Passage) -> None:
        self.done.append("let go")

    def kill(self, passage: Passage) -> None:
        self.done.append("kill")

    def left(self, passage: Passage) -> None:
        self.carried = 1

    def over(self, passage: Passage, was_carried: bool) -> None:
        self.carried = 0


async def turns() -> None:
    for _ in range(TURNS):
        await deferLater(reactor, 0)


class PassageTests(TestCase):
    """The gateway's part of a release."""

    timeout = 20

    def setUp(self) -> None:
        self.conveyor = Conveyor()
        limits = ServiceLimits(idle_seconds=1)
        self.scene = Scene(self, limits=limits, descriptors=2, passages=self.conveyor)

    async def asked(self) -> tuple[socket.socket, socket.socket, Passage, Session]:
        """A session whose sockets the carrier has."""
        client, server = await self.scene.pair()
        passage = await self.conveyor.passage
        (session,) = self.scene.register.running.values()
        assert isinstance(session, Session)
        return client, server, passage, session

    async def assertUntouched(self, client: socket.socket, server: socket.socket) -> None:
        """What one side sends, nobody reads."""
        client.sendall(b"held")
        await turns()
        self.assertEqual(select.select([server], [], [], 0)[0], [])

    def test_way(self) -> None:
        """The sockets are the carrier's for a moment, then both's, then nobody's."""

        async def run() -> None:
            client, server, passage, session = await self.asked()
            await self.assertUntouched(client, server)
            passage.switched({"index": 3})
            self.assertEqual(await in_thread(server.recv, 9), b"held")
            passage.settled()
            self.assertEqual(self.conveyor.done, ["let go"])
            self.assertEqual(session.told().sent, (4, 0))
            await self.assertUntouched(client, server)
            passage.gone()
            # its descriptors are free, and it counts otherwise
            self.assertTrue(self.scene.register.has_descriptors)
            self.assertEqual(len(self.scene.register.running), 1)
            session.active -= 5
            session.ran_out("idle_seconds", 1)
            self.assertFalse(session.ending)
            passage.over({"how": "passed", "bytes_to_server": 10, "bytes_to_client": 20})
            flow = await self.scene.over()
            counted = flow["flow"]["bytes_toserver"], flow["flow"]["bytes_toclient"]
            self.assertEqual(counted, (14, 20))
            self.assertEqual(flow["gateway"]["released_in"], "kernel")
            self.assertEqual(flow["gateway"]["verdict"], "passed")

        return ensureDeferred(run())

    def test_stays(self) -> None:
        """What the carrier does not take goes on where it stood."""

        async def run() -> None:
            client, server, passage, _ = await self.asked()
            await self.assertUntouched(client, server)
            passage.switched({"stays": "no"})
            self.assertEqual(await in_thread(server.recv, 9), b"held")
            client.close()
            server.close()
            gateway = (await self.scene.over())["gateway"]
            self.assertEqual((gateway["released_in"], gateway["why"]), ("user space", "no"))

        return ensureDeferred(run())

    def test_reset_in_the_overlap(self) -> None:
        """A reset that an old socket hears ends the session by the carrier, for both."""

        async def run() -> None:
            client, _, passage, _ = await self.asked()
            passage.switched({"index": 3})
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            await turns()
            self.assertEqual(self.conveyor.done, ["kill"])
            passage.over({"how": "killed", "bytes_to_server": 1, "bytes_to_client": 2})
            flow = await self.scene.over()
            self.assertEqual(flow["gateway"]["reason"], "reset by the client")
            self.assertEqual(flow["flow"]["bytes_toclient"], 2)

        return ensureDeferred(run())

    def test_both_ends_in_the_overlap(self) -> None:
        """Both sides end by the old sockets: the carrier still says when it is over."""

        async def run() -> None:
            client, server, passage, session = await self.asked()
            passage.switched({"index": 3})
            for one, other in ((client, server), (server, client)):
                one.shutdown(socket.SHUT_WR)
                self.assertEqual(await in_thread(other.recv, 9), b"")
            await turns()
            self.assertFalse(session.ending)
            passage.settled()
            passage.gone()
            passage.over({"how": "passed", "bytes_to_server": 0, "bytes_to_client": 0})
            self.assertEqual((await self.scene.over())["gateway"]["verdict"], "passed")

        return ensureDeferred(run())

    def test_closed_by_the_inspector(self) -> None:
        """Whoever ends it has it ended by the carrier: a goodbye by the old sockets is none."""

        async def run() -> None:
            ends = (lambda one: one.close("late"), lambda one: one.deny("no", b"x"))
            for end in ends:
                self.setUp()
                _, _, passage, session = await self.asked()
                passage.switched({"index": 3})
                end(session)
                self.assertEqual(self.conveyor.done, ["kill"])
                passage.over({"how": "killed", "bytes_to_server": 0, "bytes_to_client": 0})
                self.assertIn((await self.scene.over())["gateway"]["reason"], ("late", "no"))

        return ensureDeferred(run())

    def test_next_gateway(self) -> None:
        """What goes on without this gateway is not ended by it, and has no record of its."""

        async def run() -> None:
            _, _, passage, session = await self.asked()
            passage.switched({"index": 3})
            passage.settled()
            passage.gone()
            passage.left()
            await self.scene.register.drain()
            self.assertTrue(session.ending)
            self.assertEqual(self.conveyor.done, ["let go"])
            self.assertEqual(self.scene.records(), [])

        return ensureDeferred(run())

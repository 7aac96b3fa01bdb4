"""A session whose client sends much that is worked on for long does not hold up the others."""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import TestCase

from gateway.inspector import Reader, StreamInspector
from gateway.interfaces import CLIENT, SERVER
from gateway.policy.limits import ServiceLimits
from tests.session.scene import Scene, asynchronous, receive_all, until

SEGMENT = 65536
"""What a session reads at once."""


class FairTests(TestCase):
    """C{session.give_way}."""

    timeout = 30

    @asynchronous
    async def test_turns(self) -> None:
        """Of two who speak at once, the one with little to say is heard before the other's end."""
        heard: list[bytes] = []

        class Hearing(StreamInspector):
            def started(self) -> None:
                """Nobody to connect to."""

            async def from_client(self, read: Reader) -> None:
                while await read.more():
                    heard.append(await read.line(10))

        scene = Scene(self, Hearing)
        first, second = scene.connect(), scene.connect()
        first.sendall(b"a\r\n" * (SEGMENT // 3))
        second.sendall(b"b\r\n")
        await until(lambda: len(heard) == SEGMENT // 3 + 1)
        self.assertLess(heard.index(b"b"), 1000)

    @asynchronous
    async def test_full(self) -> None:
        """Answers that the client does not take are not made: a buffer, and a bit, waits."""
        made: list[Answering] = []
        answers = 0

        class Answering(StreamInspector):
            def __init__(self, session: Any) -> None:
                super().__init__(session)
                made.append(self)

            def started(self) -> None:
                """Nobody to connect to."""

            async def from_client(self, read: Reader) -> None:
                nonlocal answers
                while await read.more():
                    await read.line(10)
                    answers += 1
                    self.session.send(CLIENT, b"x" * 4096)
                self.session.close("all was answered")

        scene = Scene(self, Answering, limits=ServiceLimits(buffer=SEGMENT))
        client = scene.connect()
        client.sendall(b"a\r\n" * (SEGMENT // 3))
        wire = made[0].session._legs[CLIENT].wire
        await until(lambda: wire.waiting > SEGMENT)
        before, most = -1, 0
        while answers != before:  # the kernel takes some megabytes
            before = answers
            await until(lambda: wire.waiting > SEGMENT)
            most = max(most, wire.waiting)
        self.assertLess(most, 3 * SEGMENT)
        self.assertLess(answers, SEGMENT // 3)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(len(await receive_all(client)), SEGMENT // 3 * 4096)

    @asynchronous
    async def test_no_server_yet(self) -> None:
        """What waits for the server to be reached goes on when it is there."""

        class Early(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                while await read.more():
                    self.session.send(SERVER, await read.line(10) + b"." * 100)

        scene = Scene(self, Early, limits=ServiceLimits(buffer=1024))
        client = scene.connect()
        client.sendall(b"a\r\n" * 10_000)
        server = await scene.accepted()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(len(await receive_all(server)), 101 * 10_000)

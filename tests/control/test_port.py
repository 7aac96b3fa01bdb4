"""The control socket: real connections."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from gateway.control import port
from gateway.control.access import Access, Peer
from gateway.control.client import Client
from gateway.control.conversation import LONGEST
from gateway.control.port import ControlPort, Conversations
from gateway.control.question import Asker
from gateway.policy.control import ControlSettings

PATIENCE = 20.0


class Answering:
    """Answers with what was asked, and by whom; can be followed."""

    def __init__(self) -> None:
        self.followers: list[Any] = []
        self.stopped = 0

    def ask(self, asked: Any, asker: Asker) -> Deferred[dict[str, Any]]:
        if asked.get("ask") == "much":
            return succeed({"much": "x" * asked["count"]})
        return succeed({"asked": asked, "asker": asker.name, "may": asker.may_change})

    rest = 0.0

    def follow(self, asked: Any, follower: Any, most: int) -> Any:
        self.followers.append(follower)
        return self

    def stop(self) -> None:
        self.stopped += 1

    def catch_up(self) -> None:
        """Nothing was missed."""


class PortCase(TestCase):
    """A socket that answers."""

    timeout = 60.0

    def setUp(self) -> None:
        self.questions = Answering()
        self.path = Path(self.mktemp())

    def listen(self, **settings: Any) -> ControlPort:
        port = ControlPort(
            *(reactor, self.path, ControlSettings(**settings), None),
            *(self.questions, lambda called: deferToThread(called)),  # type: ignore[arg-type]
        )
        port.open()
        self.addCleanup(port.stop)
        return port

    def simulated(self, **settings: Any) -> Conversations:
        """What answers at the socket, without one, and with a clock of its own."""
        self.clock = Clock()
        return Conversations(
            *(self.questions, self.clock, ControlSettings(**settings)),  # type: ignore[arg-type]
            *(Access(own=1), lambda called: succeed(called())),
        )

    def talks(self, factory: Conversations) -> Callable[[bytes], list[Any]]:
        """A connection there: what says something, and gives what is answered at once."""
        transport, conversation = Handle(), factory.buildProtocol(None)
        conversation.makeConnection(transport)

        def say(said: bytes) -> list[Any]:
            conversation.dataReceived(said)
            lines = transport.value().splitlines()
            transport.clear()
            return [json.loads(line) for line in lines]

        return say

    def connect(self) -> socket.socket:
        ours = socket.socket(socket.AF_UNIX)
        ours.settimeout(PATIENCE)
        ours.connect(str(self.path))
        self.addCleanup(ours.close)
        return ours


class Handle(StringTransport):
    """A transport that has a socket."""

    def getHandle(self) -> object:
        return self


def _lines(ours: socket.socket, count: int) -> list[Any]:
    with ours.makefile("rb") as said:
        return [json.loads(said.readline() or b"null") for _ in range(count)]


class PortTests(PortCase):
    """Who asks there."""

    def test_several(self) -> None:
        """Questions on one connection are answered in order, however they come."""

        async def talk() -> None:
            self.listen()
            ours = self.connect()
            ours.sendall(b'{"ask":"one","number":1}\n{"ask":"two","number":"b"}\n{"ask":')
            one, two = await deferToThread(_lines, ours, 2)
            self.assertEqual((one["number"], two["number"]), (1, "b"))
            self.assertEqual((one["asked"], one["protocol"]), ({"ask": "one"}, 1))
            ours.sendall(b'"three"}\n')
            ours.shutdown(socket.SHUT_WR)
            three, nothing = await deferToThread(_lines, ours, 2)
            self.assertEqual((three["asked"], nothing), ({"ask": "three"}, None))

        return ensureDeferred(talk())

    def test_who(self) -> None:
        """The kernel says who asks."""

        async def talk() -> None:
            self.listen()
            with await deferToThread(Client, self.path) as client:
                answer = await deferToThread(client.ask, "who")
            self.assertIn(f"uid {os.getuid()}", answer["asker"])
            self.assertTrue(answer["may"])

        return ensureDeferred(talk())

    def test_much(self) -> None:
        """A long answer arrives whole, also if the asker has said his last word before."""

        async def talk() -> None:
            self.listen()
            ours = self.connect()
            ours.sendall(b'{"ask":"much","count":3000000}\n' * 3)
            ours.shutdown(socket.SHUT_WR)
            answers = await deferToThread(_lines, ours, 4)
            self.assertEqual([len(each["much"]) for each in answers[:3]], [3_000_000] * 3)
            self.assertIsNone(answers[3])

        return ensureDeferred(talk())

    def test_nonsense(self) -> None:
        """What is no question, or too long, is said so, and ends the conversation."""

        async def talk() -> None:
            self.listen()
            for said, words in (
                (b"hello\n", "not a JSON object"),
                (b"[1]\n", "not a JSON object"),
                (b"[" * 60000 + b"\n", "not a JSON object"),
                (b"\xff\xfe\n", "not a JSON object"),
                (b'{"ask":"x","number":' + b"[" * 990 + b"]" * 990 + b"}\n", "nor a text"),
                (b" " * (LONGEST + 100), "more than 65536 bytes"),
            ):
                ours = self.connect()
                ours.sendall(said)
                answer, nothing = await deferToThread(_lines, ours, 2)
                self.assertIn(words, answer["problem"])
                self.assertIsNone(nothing)

        return ensureDeferred(talk())

    def test_too_many(self) -> None:
        """No more than allowed, twice as many for an operator; when one is over, there is room."""

        async def talk() -> None:
            self.listen(conversations=1)
            first, second = self.connect(), self.connect()
            for each in (first, second):
                each.sendall(b'{"ask":"x"}\n')
                await deferToThread(_lines, each, 1)
            third = self.connect()
            third.sendall(b'{"ask":"x"}\n')
            (refused,) = await deferToThread(_lines, third, 1)
            self.assertIn("too many", refused["problem"])
            first.close()
            await self.until_answered()

        return ensureDeferred(talk())

    def test_turned_away(self) -> None:
        """Readers who come all at once, and are still being told so, keep no operator out."""
        peers = iter([Peer(1000, frozenset())] * 50 + [Peer(0, frozenset())])
        self.patch(port, "peer_of", lambda _: next(peers))
        factory = self.simulated(conversations=2)
        said = [self.talks(factory)(b'{"ask":"x"}\n')[0] for _ in range(51)]
        self.assertEqual(
            [number for number, each in enumerate(said) if "asked" in each], [0, 1, 50]
        )

    async def until_answered(self) -> None:
        """The end of a connection takes a moment to be noticed."""
        while True:
            ours = self.connect()
            ours.sendall(b'{"ask":"x"}\n')
            (answer,) = await deferToThread(_lines, ours, 1)
            if "asked" in answer:
                return

    def test_idle(self) -> None:
        """Who says nothing is let go."""

        async def talk() -> None:
            self.listen(idle_seconds=0.1)
            ours = self.connect()
            (nothing,) = await deferToThread(_lines, ours, 1)
            self.assertIsNone(nothing)

        return ensureDeferred(talk())

    def test_rest(self) -> None:
        """Who asks again and again has to wait when answers have cost too much; others have not."""
        self.questions.rest = 5.0
        self.patch(port, "peer_of", lambda _: Peer(0, frozenset()))
        factory = self.simulated()
        first, second = self.talks(factory), self.talks(factory)
        again, page = b'{"ask":"sessions"}\n', b'{"ask":"sessions","after":5}\n'
        for asked in (again, page, b'{"ask":"status"}\n'):
            self.assertEqual(len(first(asked)), 1, asked)
        self.assertEqual(first(again), [])
        self.assertEqual(len(second(again)), 1)
        self.clock.advance(4.9)
        self.assertEqual(first(b""), [])
        self.clock.advance(0.2)
        self.assertEqual(len(first(b"")), 1)

    def test_mode(self) -> None:
        """Root, or the gateway's own user, and its group may open it, and nobody else."""
        self.listen()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o660)

    def test_left_over(self) -> None:
        """What a killed gateway has left is replaced; a gateway that runs is not."""
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(self.path))
        left.close()
        self.listen()
        with self.assertRaisesRegex(OSError, "can't listen at"):
            self.listen()

    def test_strange_group(self) -> None:
        """A group that is not there stops the start."""
        self.assertRaises(OSError, self.listen, operators="nonesuch-group")

    def test_reload(self) -> None:
        """A reload changes the socket's mode; one that is given up leaves it as it was."""
        there = self.listen()
        there.prepare(ControlSettings(mode="0600"))
        there.abandon()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o660)
        for wrong in (ControlSettings(mode="0600", group="nonesuch-group"),):
            self.assertRaises(OSError, there.prepare, wrong)
            self.assertEqual(self.path.stat().st_mode & 0o777, 0o660)
        there.prepare(ControlSettings(mode="0600"))
        there.adopt(ControlSettings(mode="0600"))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_no_operator_any_more(self) -> None:
        """Who was an operator when he connected, and is none any more, may only look."""
        self.patch(port, "peer_of", lambda _: Peer(1000, frozenset({7})))
        factory = self.simulated()
        say = self.talks(factory)
        for operators in (7, None):
            factory.adopt(ControlSettings(), Access(own=1, operators=operators))
            (answer,) = say(b'{"ask":"x"}\n')
            self.assertIs(answer["may"], operators == 7)


class FollowTests(PortCase):
    """Records at the socket."""

    def test_told(self) -> None:
        """Records come as they are, each in an object on a line; the next question ends nothing."""

        async def talk() -> None:
            self.listen()
            ours = self.connect()
            ours.sendall(b'{"ask":"follow"}\n')
            (answer,) = await deferToThread(_lines, ours, 1)
            self.assertTrue(answer["following"])
            (follower,) = self.questions.followers
            follower.told(b'{"a":1}')
            follower.missed(3)
            heard = await deferToThread(_lines, ours, 2)
            self.assertEqual(heard, [{"record": {"a": 1}}, {"missed": 3}])
            ours.close()
            while not self.questions.stopped:
                await deferToThread(lambda: None)

        return ensureDeferred(talk())

    def test_slow(self) -> None:
        """Who does not take what he is told is not ready, and is dropped after a while."""

        async def talk() -> None:
            self.listen(idle_seconds=0.2)
            ours = self.connect()
            ours.sendall(b'{"ask":"follow"}\n')
            await deferToThread(_lines, ours, 1)
            (follower,) = self.questions.followers
            told = 0
            while not self.questions.stopped:
                if follower.ready:
                    follower.told(b"x" * 1000)
                    told += 1
                await deferToThread(lambda: None)
            self.assertLess(told, 10_000)

        return ensureDeferred(talk())

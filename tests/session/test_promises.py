"""What the contract promises an inspector that is lazy, or careless: the session sees to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.trial.unittest import TestCase

from gateway.inspector import Inspector, Reader, StreamInspector
from gateway.interfaces import CLIENT, Address, ISession, Outcome, Side
from gateway.policy.limits import ServiceLimits
from gateway.policy.notation import read_network
from gateway.policy.rule import Rule
from tests.session.scene import Scene, asynchronous, receive, send, service

ELSEWHERE = Address("203.0.113.9", 9)
"""Neither peer's address, and nowhere that the policy lets anybody go."""


def asking(ask: Callable[[ISession], Any]) -> type[Inspector]:
    """An inspector that asks for something at the start, and does not look at the answer."""

    class Asking(Inspector):
        def started(self) -> None:
            ask(self.session)

    return Asking


def two(session: ISession) -> None:
    """Announce two connections, where one is allowed."""
    session.expect(CLIENT, Address("127.0.0.2", 0), "data")
    session.expect(CLIENT, Address("127.0.0.2", 0), "data")


def again(session: ISession) -> None:
    """Connect, and connect."""
    session.connect()
    session.connect()


def scene_of(case: TestCase, make: Any, **fields: Any) -> Scene:
    """A scene whose policy has nothing but loopback."""
    scene = Scene(case, make, (service(Inspector, "data"),), **fields)
    here = Rule("web", destinations=(read_network("127.0.0.0/8"),))
    scene.policy = scene.admission.policy = evolve(scene.policy, rules=(here,))
    return scene


def bug() -> None:
    """Something that an inspector should not compute."""
    raise ZeroDivisionError


class UnheededTests(TestCase):
    """A failure that the inspector doesn't handle ends the session at once: nobody waits for it."""

    timeout = 30

    async def flow(self, ask: Callable[[ISession], Any]) -> Any:
        """The verdict and reason of a session that was asked for something."""
        limits = ServiceLimits(expectations=1)
        scene = scene_of(self, asking(ask), limits=limits)
        client = scene.connect()
        gateway = (await scene.over())["gateway"]
        with self.assertRaises(ConnectionResetError):
            await receive(client, 1)
        return gateway["verdict"], gateway.get("reason", "")

    @asynchronous
    async def test_denied(self) -> None:
        """What the policy, or a limit, does not have, is denied."""
        denied = Outcome.DENIED.value
        self.assertEqual(
            await self.flow(lambda session: session.connect(ELSEWHERE)),
            (denied, f"the policy has no connection to {ELSEWHERE} by web"),
        )
        self.assertEqual(
            await self.flow(lambda session: session.dial(CLIENT, ELSEWHERE, "data")),
            (denied, f"{ELSEWHERE} is neither peer's address"),
        )
        self.assertEqual(await self.flow(two), (denied, "limits.expectations = 1"))

    @asynchronous
    async def test_unreachable(self) -> None:
        """Who can't be reached is a server that failed."""
        failed = Outcome.FAILED.value
        closed = Address("127.0.0.1", 1)
        verdict, reason = await self.flow(lambda session: session.dial(CLIENT, closed, "data"))
        self.assertEqual(verdict, failed, reason)

    @asynchronous
    async def test_bug(self) -> None:
        """A bug in what was to be computed, or in a callback, is a bug of the inspector."""
        for ask in (
            again,
            lambda session: session.compute(bug),
            lambda session: session.flushed(CLIENT).addCallback(lambda _: bug()),
            lambda session: session.resolve("").addCallback(lambda _: bug()),
        ):
            self.assertEqual((await self.flow(ask))[0], Outcome.BROKEN.value)
        bugs = [error.value for error in self.flushLoggedErrors()]
        self.assertEqual([type(bug) for bug in bugs], [RuntimeError] + 3 * [ZeroDivisionError])

    @asynchronous
    async def test_handled(self) -> None:
        """Who handles it goes on; who cancels it, too."""
        heard: list[str] = []

        def handled(session: ISession) -> None:
            session.dial(CLIENT, Address("127.0.0.1", 1), "data").cancel()
            dialed = session.dial(CLIENT, ELSEWHERE, "data")
            dialed.addErrback(lambda failure: heard.append(failure.type.__name__))
            connected = session.connect(ELSEWHERE)
            connected.addErrback(lambda failure: heard.append(failure.type.__name__))
            connected.addCallback(lambda _: session.connect())

        scene = scene_of(self, asking(handled))
        client, server = await scene.pair()
        await send(client, b"hello")
        self.assertEqual(await receive(server, 5), b"hello")
        self.assertEqual(heard, ["Denied", "Denied"])


class SecureTests(TestCase):
    """Plaintext is never taken for protected, whatever the inspector calls (STARTTLS injection)."""

    timeout = 30

    async def refused(self, make: Any, others: Any = ()) -> None:
        scene = Scene(self, make, others)
        client, server = await scene.pair()
        await send(client, b"STARTTLS\nevil\n")
        gateway = (await scene.over())["gateway"]
        self.assertEqual(gateway["verdict"], Outcome.DENIED.value)
        self.assertIn("the client sent plaintext after it had agreed to TLS", gateway["reason"])
        with self.assertRaises(ConnectionResetError):
            await receive(server, 1)

    @asynchronous
    async def test_unread(self) -> None:
        """What a coroutine has not read."""

        class Starting(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.exactly(9, 9)
                self.session.secure(CLIENT)

        await self.refused(Starting)

    @asynchronous
    async def test_kept(self) -> None:
        """What an inspector with a buffer of its own has kept."""

        class Keeping(Inspector):
            kept = b""

            def received(self, side: Side, data: bytes) -> None:
                self.kept = data.partition(b"\n")[2]
                self.session.secure(side)

            def unread(self, side: Side) -> int:
                return len(self.kept) if side is CLIENT else 0

        await self.refused(Keeping)

    @asynchronous
    async def test_handed_over(self) -> None:
        """What the former inspector has left for the present one, which has not got it yet."""

        class Former(StreamInspector):
            async def from_client(self, read: Reader) -> None:
                await read.exactly(9, 9)
                self.hand_over("tls")

        class Present(Inspector):
            def started(self) -> None:
                self.session.secure(CLIENT)

        await self.refused(Former, (service(Present, "tls"),))

"""However a session of HTTP ends, nothing of it waits for the garbage collector."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import TestCase

from gateway.interfaces import CLIENT, SERVER, Side
from protocols.http.inspector import HttpInspector
from protocols.http.limits import Limits
from protocols.http.policy.settings import HttpSettings
from protocols.http.settings import Stack, Tunnels
from protocols.http.times import Times
from protocols.relay import RelayInspector
from tests.session.scene import (
    Scene,
    asynchronous,
    receive,
    receive_all,
    reset,
    send,
    service,
    until,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbegin"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n"
OFFER = GET[:-2] + UPGRADE
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n" + UPGRADE

Close = Callable[[socket.socket], Any]
close: Close = socket.socket.close


class NothingStaysTests(TestCase):
    """The last one who lets go of a session is its end."""

    timeout = 30

    async def begun(self, asked: bytes, **fields: Any) -> tuple[Scene, socket.socket, Any]:
        """A client that has sent this, while nobody collects circles."""
        fields.setdefault("settings", HttpSettings())
        scene = Scene(self, HttpInspector, **fields)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        client = scene.connect()
        session = weakref.ref(next(iter(scene.register.running.values())))
        if asked:
            await send(client, asked)
        return scene, client, session

    async def gone(self, scene: Scene, session: Any, what: object = "") -> None:
        """It is over, and is no more."""
        await scene.register.drain()
        try:
            await until(lambda: session() is None, 2)
        except AssertionError:
            left = [type(each).__name__ for each in gc.get_referrers(session())]
            raise AssertionError(f"{what!r}: the session is held by {left}") from None

    async def answered(
        self, asked: bytes, answer: bytes, first: Side, end: Close, **fields: Any
    ) -> None:
        """One that is asked and answered, and then ended by one side in this way."""
        scene, client, session = await self.begun(asked, **fields)
        server = await scene.accepted()
        if answer:
            await send(server, answer)
            await receive(client, len(answer))
        gone, left = (client, server) if first is CLIENT else (server, client)
        end(gone)
        await self.heard(left)
        left.close()
        await self.gone(scene, session, (asked, answer, first, end))

    async def heard(self, sock: socket.socket) -> None:
        """All that there is, whatever the end."""
        try:
            await receive_all(sock)
        except OSError:
            pass

    @asynchronous
    async def test_refused(self) -> None:
        """By the protocol, the policy, or a limit; at once or later."""
        for asked, settings in (
            (b"nonsense\r\n", HttpSettings()),
            (b"\x16\x03\x01", HttpSettings()),
            (GET[:-2] + b"X : y\r\n\r\n", HttpSettings()),
            (b"TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", HttpSettings()),
            (PUT, HttpSettings(limits=Limits(request_body_bytes=3))),
            (PUT, HttpSettings(methods=frozenset({"GET"}))),
        ):
            scene, client, session = await self.begun(asked, settings=settings)
            await self.heard(client)
            client.close()
            await self.gone(scene, session, asked)

    @asynchronous
    async def test_nothing_asked(self) -> None:
        """Orderly, and not."""
        for end in (close, reset):
            scene, client, session = await self.begun(b"")
            end(client)
            await self.gone(scene, session)

    @asynchronous
    async def test_half_asked(self) -> None:
        """In a first line, in a head."""
        for asked in (b"GE", GET[:-2]):
            for end in (close, reset):
                scene, client, session = await self.begun(asked)
                end(client)
                await self.gone(scene, session)

    @asynchronous
    async def test_client_ends(self) -> None:
        """While it waits for the answer, in it, in its own body, or after it."""
        for asked, answer in ((GET, b""), (GET, CUT), (PUT, b""), (GET, OK)):
            for end in (close, reset):
                await self.answered(asked, answer, CLIENT, end)

    @asynchronous
    async def test_server_ends(self) -> None:
        """Likewise."""
        settings = HttpSettings(keep_client=False)
        for asked, answer in ((GET, b""), (GET, CUT), (PUT, b""), (GET, OK)):
            for end in (close, reset):
                await self.answered(asked, answer, SERVER, end, settings=settings)

    @asynchronous
    async def test_outlived(self) -> None:
        """The client goes on without the server, or with another one, and ends then."""
        for servers in (1, 3):
            for end in (close, reset):
                scene, client, session = await self.begun(b"")
                for _ in range(servers):
                    await send(client, GET)
                    server = await scene.accepted()
                    await send(server, LAST)
                    self.assertEqual(await receive(client, len(OK)), OK)
                    end(server)
                client.close()
                await self.gone(scene, session, (servers, end))

    @asynchronous
    async def test_bad_answer(self) -> None:
        """One that is refused, and one that is too much."""
        for answer in (b"nonsense\r\n", OK + b"more"):
            scene, client, session = await self.begun(GET)
            server = await scene.accepted()
            await send(server, answer)
            await self.heard(client)
            client.close()
            server.close()
            await self.gone(scene, session)

    @asynchronous
    async def test_unreachable(self) -> None:
        """Nobody listens."""
        scene, client, session = await self.begun(b"")
        assert scene.server is not None
        scene.server.close()
        await send(client, GET)
        await self.heard(client)
        client.close()
        await self.gone(scene, session)

    @asynchronous
    async def test_tunnel(self) -> None:
        """What was released, and what another service inspects."""
        upgrades = frozenset({"x"})
        tunnels = Tunnels(upgrades={"x": "other"})
        for settings in (
            HttpSettings(upgrades=upgrades),
            HttpSettings(upgrades=upgrades, tunnels=tunnels),
        ):
            for end in (close, reset):
                others = (service(RelayInspector, "other"),)
                fields: dict[str, Any] = {"settings": settings, "others": others}
                await self.answered(OFFER, SWITCH, CLIENT, end, **fields)
                await self.answered(OFFER, SWITCH, SERVER, end, **fields)

    @asynchronous
    async def test_stacked(self) -> None:
        """A body that went through another service, or did not get to its end."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for answer, heard in (
            (OK, head + b"2\r\nhi\r\n0\r\n\r\n"),
            (CUT, head + b"5\r\nbegin\r\n"),
        ):
            for end, headers in ((close, False), (reset, False), (close, True)):
                stack = Stack(request="other", response="other", headers=headers)
                settings = HttpSettings(stack=stack)
                others = (service(RelayInspector, "other"),)
                scene, client, session = await self.begun(GET, settings=settings, others=others)
                server = await scene.accepted()
                await send(server, answer)
                self.assertEqual(await receive(client, len(heard)), heard)
                end(client)
                await self.heard(server)
                server.close()
                await self.gone(scene, session)

    @asynchronous
    async def test_too_late(self) -> None:
        """The client, or the server, took too long."""
        times = Times(head_seconds=0.3, response_seconds=0.3)  # type: ignore[call-arg]
        for asked in (GET[:5], GET):
            scene, client, session = await self.begun(asked, settings=HttpSettings(times=times))
            if asked == GET:
                server = await scene.accepted()
                await self.heard(client)
                server.close()
            await self.heard(client)
            client.close()
            await self.gone(scene, session)

    @asynchronous
    async def test_stopped(self) -> None:
        """The gateway stops in the middle."""
        scene, _, session = await self.begun(GET)
        await scene.accepted()
        scene.admission.stop()
        await self.gone(scene, session)

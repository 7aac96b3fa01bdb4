"""A session that is over is freed at once, not when a collector finds a circle."""

from __future__ import annotations

import gc
import socket
import weakref
from collections import Counter
from typing import Any

from twisted.trial.unittest import TestCase

from gateway.interfaces import SERVER, Address
from gateway.kernel import sockets
from protocols.ftp.inspector import FtpInspector
from protocols.ftp.settings import FtpSettings
from protocols.relay import RelayInspector
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.settings import SMTPSettings
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


class FreedTests(TestCase):
    """Between real sockets. How inspectors pass this alone: L{gateway.testing.suite}."""

    timeout = 30

    def setUp(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    async def goodbye(self, scene: Scene, first: socket.socket, second: socket.socket) -> None:
        """The last session ends, and is gone."""
        session = weakref.ref(next(iter(scene.register.running.values())))
        first.close()
        await receive_all(second)
        second.close()
        await scene.register.drain()
        await until(lambda: session() is None)
        self.assertEqual(self.left(), {})

    def left(self) -> Counter[str]:
        """What of ours is in circles."""
        before = gc.get_debug()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            kinds = (type(each) for each in gc.garbage)
            return Counter(
                f"{kind.__module__}.{kind.__qualname__}"
                for kind in kinds
                if kind.__module__.partition(".")[0] in ("gateway", "protocols")
            )
        finally:
            gc.set_debug(before)
            gc.garbage.clear()

    async def hear(self, client: socket.socket, server: socket.socket, answer: bytes) -> None:
        """The server says something, and the client hears it."""
        await send(server, answer)
        self.assertEqual(await receive(client, len(answer)), answer)

    async def say(
        self, client: socket.socket, server: socket.socket, asked: bytes, answer: bytes
    ) -> None:
        """The client says something, the server answers."""
        await send(client, asked)
        self.assertEqual(await receive(server, len(asked)), asked)
        await self.hear(client, server, answer)

    @asynchronous
    async def test_relay(self) -> None:
        """Whoever of the two ends it."""
        scene = Scene(self)
        for ended_by_client in (True, False):
            client, server = await scene.pair()
            await send(client, b"x")
            await receive(server, 1)
            await self.goodbye(scene, *((client, server) if ended_by_client else (server, client)))

    @asynchronous
    async def test_smtp(self) -> None:
        """With one whose parts know each other, and a message that another one looks at."""
        looks = service(RelayInspector, "looks")
        scene = Scene(self, SMTPInspector, others=(looks,), settings=SMTPSettings(stack="looks"))
        client, server = await scene.pair()
        await self.hear(client, server, b"220 mx.example\r\n")
        await self.say(client, server, b"HELO a.example\r\n", b"250 mx.example\r\n")
        await self.say(client, server, b"MAIL FROM:<a@a.example>\r\n", b"250 fine\r\n")
        await self.say(client, server, b"RCPT TO:<b@b.example>\r\n", b"250 fine\r\n")
        await send(client, b"DATA\r\n")
        await receive_line(client)
        await send(client, b"Subject: x\r\n\r\nhello\r\n.\r\n")
        await receive(server, len(b"DATA\r\n"))
        await send(server, b"354 go\r\n")
        await receive(server, len(b"Subject: x\r\n\r\nhello\r\n.\r\n"))
        await self.hear(client, server, b"250 taken\r\n")
        await self.goodbye(scene, client, server)

    @asynchronous
    async def test_ftp(self) -> None:
        """With a data connection: it and the control connection know each other."""
        looks = service(RelayInspector, "looks")
        settings = FtpSettings(stack_download="looks")
        scene = Scene(self, FtpInspector, others=(looks,), settings=settings)
        client, server = await scene.pair()
        await self.hear(client, server, b"220 hello\r\n")
        await self.say(client, server, b"USER joe\r\n", b"331 password\r\n")
        await self.say(client, server, b"PASS x\r\n", b"230 welcome\r\n")
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]
        announced = b"227 Entering Passive Mode (127,0,0,1,%d,%d).\r\n" % divmod(port, 256)
        await self.say(client, server, b"PASV\r\n", announced)
        near, far = self.data(scene, Address("127.0.0.1", port), listener)
        await self.say(client, server, b"RETR file\r\n", b"150 here\r\n")
        await send(far, b"content")
        far.close()
        self.assertEqual(await receive_all(near), b"content")
        near.close()
        await self.hear(client, server, b"226 done\r\n")
        await until(lambda: len(scene.register.running) == 1)
        await self.goodbye(scene, client, server)

    @asynchronous
    async def test_waits(self) -> None:
        """Nor if somebody still waited for a side to have everything, which it won't."""

        class Waits(RelayInspector):
            def started(self) -> None:
                self.session.flushed(SERVER).addCallback(self.told)

            def told(self, nothing: None) -> None:
                """Never."""

        scene = Scene(self, Waits)
        client = scene.connect()
        session = weakref.ref(next(iter(scene.register.running.values())))
        reset(client)
        await scene.register.drain()
        await until(lambda: session() is None)

    def data(
        self, scene: Scene, address: Address, listener: socket.socket
    ) -> tuple[socket.socket, socket.socket]:
        """The data connection, which the divert brings to the ordinary listener."""
        near = socket.create_connection(scene.door.getsockname(), 10)
        self.addCleanup(near.close)
        sock, client, _ = sockets.accept(scene.door)
        scene.admission.admit(sock, client, address, None, 0)
        far, _ = listener.accept()
        self.addCleanup(far.close)
        far.settimeout(10)
        return near, far


async def receive_line(sock: Any) -> bytes:
    """Up to a line's end."""
    line = b""
    while not line.endswith(b"\n"):
        line += await receive(sock, 1)
    return line

"""What end-to-end tests subclass, and the sockets that they talk with."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from gateway.lab import network
from gateway.lab.namespace import Namespace
from gateway.lab.network import CLIENT, CLIENT6, SERVER, SERVER6
from gateway.lab.waiting import SLOWNESS, wait_until
from tests.netns.scene import ZONES, Scene, stage, unable

SECONDS = 5.0 * SLOWNESS
"""How long a test waits at a socket for what must happen."""

ASKED = 5.0
"""How long it asks again and again: L{wait_until} knows of slow machines itself."""

RELOADED = "reloaded /"
"""What the log says after a reload (and a folder comes next)."""

QUIET = 0.7
"""How long a test waits for what must not happen."""

RELAY = """
inspector = "relay"
[[rule]]
from = ["office"]
to = ["internet"]
"""
RELAY_UDP = RELAY + 'protocol = "udp"\n'

Address = tuple[str, int]


class SceneCase(SynchronousTestCase):
    """
    Tests that share a network, and a gateway unless C{fresh} says otherwise.

    @cvar services: the text of the service files by name.
    @cvar gateway: what is added to gateway.toml.
    @cvar fresh: everything is built anew for every single test.
    @cvar embedded: start the laboratory's own servers as well.
    @cvar started: start the gateway before the test.
    """

    skip = unable()
    services: ClassVar[Mapping[str, str]] = {"relay": RELAY}
    gateway: ClassVar[str] = ""
    zones: ClassVar[str] = ZONES
    fresh: ClassVar[bool] = False
    embedded: ClassVar[bool] = False
    started: ClassVar[bool] = True
    scene: Scene

    def setUp(self) -> None:
        self.scene, new = stage.scene_of(self.owner)
        if self.fresh and not new:
            self.scene.renew()
        if self.fresh or new:
            try:
                self.prepare()
                self.begin()
            except BaseException:
                stage.clear()
                raise

    @property
    def owner(self) -> type[SceneCase]:
        """The class that the scene belongs to: another one than its own if several share one."""
        return type(self)

    def prepare(self) -> None:
        """Called when the network is new, before the gateway is started."""
        if self.embedded:
            self.scene.start_servers()

    def begin(self) -> None:
        """Start the gateway with the class's configuration."""
        self.scene.configure(self.services, self.gateway, self.zones)
        if self.started:
            self.scene.daemon.start()

    @property
    def client(self) -> Namespace:
        return self.scene.network.client

    @property
    def server(self) -> Namespace:
        return self.scene.network.server

    @property
    def router(self) -> Namespace:
        """The gateway's namespace."""
        return self.scene.network.gateway

    def listen(
        self,
        port: int = 0,
        host: str = SERVER,
        namespace: Namespace | None = None,
        prepare: Callable[[socket.socket], object] = lambda _: None,
    ) -> socket.socket:
        """A listening socket, by default in the server's namespace, on any port."""
        listener = (namespace or self.server).socket(family(host))
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(SECONDS)
        prepare(listener)
        listener.bind((host, port))
        listener.listen(1024)
        return listener

    def dial(
        self,
        server: Address,
        source: Address | None = None,
        namespace: Namespace | None = None,
        prepare: Callable[[socket.socket], object] = lambda _: None,
        seconds: float = SECONDS,
    ) -> socket.socket:
        """A connection, by default from the client's namespace and from any port."""
        ours = (namespace or self.client).socket(family(server[0]))
        self.addCleanup(ours.close)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours.settimeout(seconds)
        if source is not None:
            ours.bind(source)
        prepare(ours)
        ours.connect(server)
        ours.settimeout(SECONDS)
        return ours

    def accept(self, listener: socket.socket) -> tuple[socket.socket, Address]:
        """The next connection that reaches the server, and from whom."""
        theirs, peer = listener.accept()
        self.addCleanup(theirs.close)
        theirs.settimeout(SECONDS)
        return theirs, peer[:2]

    def pair(
        self, source: Address | None = None, **options: Any
    ) -> tuple[socket.socket, socket.socket, Address]:
        """A connection: the client's socket, the server's, and whom the server saw."""
        listener = self.listen()
        ours = self.dial(listener.getsockname()[:2], source, **options)
        theirs, peer = self.accept(listener)
        return ours, theirs, peer

    def datagrams(self, namespace: Namespace, host: str, port: int = 0) -> socket.socket:
        """A bound UDP socket."""
        ours = namespace.socket(family(host), socket.SOCK_DGRAM)
        self.addCleanup(ours.close)
        ours.settimeout(SECONDS)
        ours.bind((host, port))
        return ours

    def flows(self, client: Address) -> list[dict[str, Any]]:
        """The flow records of the sessions of this client's address and port."""
        records = self.scene.records()
        return [
            one
            for one in records
            if one["event_type"] == "flow" and (one["src_ip"], one["src_port"]) == client[:2]
        ]

    def flow(self, client: Address, seconds: float = ASKED) -> dict[str, Any]:
        """The flow record of the one session of this client, as soon as it is there."""
        self.wait(lambda: self.flows(client), f"no flow record of {client}", seconds)
        found = self.flows(client)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def wait(self, condition: Callable[[], object], failure: str, seconds: float = ASKED) -> None:
        """Wait until it is true."""
        if not wait_until(condition, seconds):
            self.fail(f"{failure}; the gateway says:\n{self.scene.daemon.said[-4000:]}")

    def assertQuiet(self, listener: socket.socket) -> None:
        """Nobody connects."""
        listener.settimeout(QUIET)
        try:
            _, peer = listener.accept()
        except TimeoutError:
            return
        finally:
            listener.settimeout(SECONDS)
        self.fail(f"{peer} connected to {listener.getsockname()}")

    def assertReset(self, ours: socket.socket) -> None:
        """The connection is ended by a reset."""
        try:
            heard = ours.recv(65536)
        except ConnectionResetError:
            return
        self.fail(f"heard {heard!r} instead of a reset")

    def assertEnded(self, ours: socket.socket) -> None:
        """The connection is ended in an orderly way, with nothing left to read."""
        self.assertEqual(ours.recv(65536), b"")

    def assertRefused(self, server: Address, host: str = CLIENT) -> Address:
        """
        A connection that is reset before anything is heard, as soon as it is
        made or a moment later. Gives back its client's address.
        """
        ours = self.client.socket(family(server[0]))
        self.addCleanup(ours.close)
        ours.settimeout(SECONDS)
        ours.bind((host, 0))
        source: Address = ours.getsockname()[:2]
        try:
            ours.connect(server)
            self.assertReset(ours)
        except ConnectionResetError:
            pass
        return source


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def hear(ours: socket.socket, count: int | None = None) -> bytes:
    """Read so many bytes, or to the end of the stream."""
    heard = b""
    while count is None or len(heard) < count:
        data = ours.recv(65536)
        if not data:
            break
        heard += data
    return heard


def reset(ours: socket.socket) -> None:
    """Close with a reset."""
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ours.close()


__all__ = [
    "CLIENT",
    "CLIENT6",
    "QUIET",
    "RELAY",
    "RELAY_UDP",
    "RELOADED",
    "SECONDS",
    "SERVER",
    "SERVER6",
    "Address",
    "SceneCase",
    "family",
    "hear",
    "network",
    "reset",
]

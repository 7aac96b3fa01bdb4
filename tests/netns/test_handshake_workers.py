"""Several workers, and clients that are connected only if their servers are."""

from __future__ import annotations

import os
import signal
import socket
from collections import defaultdict
from pathlib import Path
from threading import Event, Thread

from tests.netns.case import CLIENT6, RELAY, RELOADED, SERVER, SERVER6, Address
from tests.netns.workers_case import CLIENTS, WorkersCase

THROUGH = f'handshake = "through"{RELAY}ports = ["7000-7099"]\n'
ACCEPTED = f'{RELAY}ports = ["7100-7199"]\n'
HELD = 16
"""Connections at one time."""


class ThroughWorkersCase(WorkersCase):
    """Some clients shake hands with their servers, some with the gateway."""

    services = {"through": THROUGH, "accepted": ACCEPTED}
    embedded = False

    def connected(self, server: Address, host: str, seconds: float = 10.0) -> socket.socket:
        """A client that has heard of its server."""
        return self.dial(server, (host, 0), seconds=seconds)

    def ushers(self) -> list[int]:
        """The usher's processes."""
        found = []
        for process in sorted(self.router.processes()):
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"gateway.kernel.handshake" in command:
                found.append(process)
        return found

    def talk(self, server: Address, host: str, listener: socket.socket) -> None:
        """A whole session."""
        ours = self.connected(server, host)
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname()[:2])
        theirs.sendall(b"220 ready\r\n")
        self.assertEqual(ours.recv(100), b"220 ready\r\n")
        ours.close()
        theirs.close()
        self.assertEqual(self.flow(peer)["gateway"]["handshake"], "through")


class SharedThroughTests(ThroughWorkersCase):
    """Who gets whom."""

    def test_by_client(self) -> None:
        """Whoever accepts a client's connections is brought its others, too."""
        listeners = [
            self.listen(port, server) for server in (SERVER, SERVER6) for port in (7000, 7100)
        ]
        clients = [*((host, SERVER) for host in CLIENTS[:HELD]), (CLIENT6, SERVER6)]
        columns = defaultdict(set)
        for host, server in clients:
            for port in (7000, 7100):
                columns[host].add(self.column(self.connected((server, port), host)))
        self.assertEqual({len(each) for each in columns.values()}, {1}, columns)
        self.assertEqual(len(set.union(*columns.values())), self.count)
        self.assertEqual(len(listeners), 4)

    def test_killed(self) -> None:
        """A worker is killed: all clients are connected, also those just brought to it."""
        listener = self.listen(7001)
        for index in (0, 1):
            before = self.workers()[index]
            self.kill(index)
            for host in CLIENTS[:8]:
                self.talk((SERVER, 7001), host, listener)
            self.wait(lambda i=index, b=before: self.workers().get(i, b) != b, "no worker", 20)

    def test_usher_killed(self) -> None:
        """Either process of the usher is killed: another one serves all workers."""
        listener = self.listen(7002)
        for which in (1, 0):
            before = self.ushers()
            self.assertEqual(len(before), 2)
            os.kill(before[which], signal.SIGKILL)
            self.wait(
                lambda then=before: len(self.ushers()) == 2 and self.ushers() != then,
                "nobody takes its place",
            )
            for host in CLIENTS[:8]:
                self.talk((SERVER, 7002), host, listener)


class TurnTests(ThroughWorkersCase):
    """By connection."""

    gateway = '[workers]\ncount = 2\nsteer = "connection"\n'

    def test_by_connection(self) -> None:
        """The connections of one client are shared."""
        listener = self.listen(7000)
        columns = {
            self.column(self.connected(listener.getsockname(), CLIENTS[0])) for _ in range(4)
        }
        self.assertEqual(len(columns), 2)


class ChangingTests(ThroughWorkersCase):
    """Workers take the place of others while clients come."""

    def test_changes(self) -> None:
        """Reloads and upgrades: no client is refused, reset, or left without its server's words."""
        listener = self.listen(7003)
        over = Event()
        served = Thread(target=self.serve, args=(listener, over), daemon=True)
        served.start()
        self.addCleanup(served.join)
        self.addCleanup(over.set)
        heard: list[bytes] = []
        clients = Thread(target=self.come, args=(heard, over), daemon=True)
        clients.start()
        self.addCleanup(clients.join)
        self.addCleanup(over.set)
        for _ in range(2):
            self.scene.reload(RELOADED)
            before = len(heard)
            self.wait(lambda then=before: len(heard) > then + 20, "nobody is served")
        self.scene.daemon.signal(signal.SIGUSR2)
        self.wait(lambda: self.scene.daemon.said.count("upgraded"), "no upgrade", 30)
        before = len(heard)
        self.wait(lambda: len(heard) > before + 20, "nobody is served")
        over.set()
        clients.join()
        self.assertEqual(set(heard), {b"hello"})

    def serve(self, listener: socket.socket, over: Event) -> None:
        listener.settimeout(0.2)
        while not over.is_set():
            try:
                theirs, _ = listener.accept()
            except TimeoutError:
                continue
            with theirs:
                theirs.sendall(b"hello")

    def come(self, heard: list[bytes], over: Event) -> None:
        while not over.is_set():
            try:
                with self.connected((SERVER, 7003), CLIENTS[len(heard) % 8]) as ours:
                    heard.append(ours.recv(100))
            except OSError as error:
                heard.append(str(error).encode())

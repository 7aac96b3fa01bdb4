"""Several workers: what their tests share."""

from __future__ import annotations

import errno
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from gateway.control.client import Client
from gateway.workers.table import COLUMNS
from tests.netns.case import RELAY, RELAY_UDP, SERVER, SERVER6, SceneCase, family, hear

ECHO = 7
"""The port of the laboratory's server that says everything back."""

CLIENTS = [f"10.1.3.{number}" for number in range(1, 41)]
"""Addresses of many clients."""

SERVERS = {socket.AF_INET: SERVER, socket.AF_INET6: SERVER6}


class WorkersCase(SceneCase):
    """A gateway with workers."""

    services = {"relay": RELAY, "datagrams": RELAY_UDP}
    embedded = True
    gateway = "[workers]\ncount = 2\n"
    count: ClassVar = 2

    def prepare(self) -> None:
        super().prepare()
        self.client.run("ip", "route", "add", "local", "10.1.3.0/24", "dev", "lo")

    def setUp(self) -> None:
        super().setUp()
        self.wait(lambda: len(self.workers()) == self.count, "there are not all workers", 20)

    # The processes

    def workers(self) -> dict[int, int]:
        """The processes of those workers that live, by their indices; the youngest ones."""
        return {
            index: process for index in range(4) for process in self.called(f"tproxygw-w{index}")
        }

    def called(self, name: str) -> list[int]:
        """The processes of that name that live."""
        found = []
        for process in sorted(self.router.processes()):
            with suppress(OSError):
                stat = Path(f"/proc/{process}/stat").read_text()
                if f"({name})" in stat and stat.rpartition(")")[2].split()[0] != "Z":
                    found.append(process)
        return found

    def kill(self, index: int, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.workers()[index], number)

    def again(self, index: int, before: int) -> None:
        """Wait until there is another worker in the place of the process C{before}."""
        self.wait(
            lambda: self.workers().get(index, before) != before and self.answers(),
            f"worker {index} is not there again",
            20,
        )

    def answers(self) -> bool:
        """Whether all workers answer."""
        with Client(self.scene.daemon.control) as control:
            return len(control.ask("status")["workers"]) == self.count + 1

    # Sessions

    def open(self, host: str) -> socket.socket:
        """A connection to the server that echoes, on its way."""
        ours = self.client.socket(family(host))
        self.addCleanup(ours.close)
        ours.settimeout(20)
        ours.bind((host, 0))
        ours.setblocking(False)
        code = ours.connect_ex((SERVERS[family(host)], ECHO))
        self.assertIn(code, (0, errno.EINPROGRESS))
        ours.settimeout(20)
        return ours

    def echoed(self, ours: socket.socket, said: bytes = b"hello") -> bool:
        """Whether the server is reached; C{False} if it was reset or ended."""
        try:
            while True:
                try:
                    ours.sendall(said)
                    break
                except BlockingIOError:
                    continue
            return hear(ours, len(said)) == said
        except ConnectionError:
            return False

    def sessions(self) -> dict[tuple[str, int], Any]:
        """The running sessions, by the client's address and port."""
        with Client(self.scene.daemon.control) as control:
            answer = control.ask("sessions", limit=500)
            self.assertIn("sessions", answer, answer)
            rows = answer["sessions"]
        return {(row["client"]["ip"], row["client"]["port"]): row for row in rows}

    def column(self, ours: socket.socket) -> int:
        """Which worker has a session: the column that it counts in."""
        client = ours.getsockname()[:2]
        self.wait(lambda: client in self.sessions(), "no such session")
        return int(self.sessions()[client]["id"]) % COLUMNS

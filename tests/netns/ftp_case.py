"""What end-to-end tests of FTP subclass."""

from __future__ import annotations

import ftplib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import Address, SceneCase, family
from tests.netns.ftp_clients import Visit
from tests.netns.ftp_servers import SERVERS, Server

FTP = """
inspector = "ftp"
[[rule]]
from = ["office"]
ports = [21]
[ftp]
profile = "read-write"
"""

CONTENT = bytes(range(256)) * 1000 + b"\r\nthe end"


class FtpCase(SceneCase):
    """
    A gateway with FTP, and real servers behind it.

    @cvar servers: their names.
    @cvar pem: a key and its certificates, for servers that are to demand TLS.
    """

    services: ClassVar[dict[str, str]] = {"ftp": FTP}
    gateway = "[limits]\nstop_seconds = 1.0\n"
    servers: ClassVar[tuple[str, ...]] = ()
    pem: ClassVar[bytes] = b""

    def prepare(self) -> None:
        chosen = [SERVERS[name] for name in self.servers]
        self.scene.network.add_server_addresses(
            host for server in chosen for host in server.hosts.values()
        )
        for server in chosen:
            root = server.prepare(self.scene.folder)
            (root / "file").write_bytes(CONTENT)
            (root / "empty").write_bytes(b"")
        pem = self.scene.folder / "server.pem" if self.pem else None
        if pem:
            pem.write_bytes(self.pem)
            pem.chmod(0o600)
        for server in chosen:
            server.start(self.server, self.scene.folder, pem)
        for server in chosen:
            for host in server.hosts.values():
                self.wait_for(host)

    def wait_for(self, host: str) -> None:
        """Until a server listens."""

        def listens() -> bool:
            with self.server.socket(family(host)) as probe:
                return probe.connect_ex((host, 21)) == 0

        if not wait_until(listens, seconds=20):
            raise AssertionError(f"no server listens at {host}")

    @contextmanager
    def ftplib(self, name: str = "vsftpd", passive: bool = True) -> Iterator[ftplib.FTP]:
        """CPython's client, logged in."""
        visit = Visit(self.client, SERVERS[name], 4, "passive" if passive else "active", Path())
        with visit.ftplib() as client:
            yield client

    def root(self, server: Server) -> Path:
        """What a server serves."""
        return self.scene.folder / server.name

    def large(self, size: int = 30_000_000) -> int:
        """A file "large" on every server, without a block on the disk. Its size."""
        for name in self.servers:
            with (self.root(SERVERS[name]) / "large").open("wb") as file:
                file.truncate(size)
        return size

    @staticmethod
    def source(client: ftplib.FTP) -> Address:
        """The client's address, as the audit has it."""
        assert client.sock is not None
        found: Address = client.sock.getsockname()[:2]
        return found

    def transfers(self) -> list[dict[str, Any]]:
        """The records of transfers so far. Only these are read: there are thousands of others."""
        if not self.scene.audit.exists():
            return []
        lines = self.scene.audit.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if '"ftp_data"' in line and line[-1] == "\n"]


def hear_line(sock: socket.socket) -> bytes:
    """The next line."""
    line = b""
    while not line.endswith(b"\n"):
        piece = sock.recv(1)
        if not piece:
            raise AssertionError(f"the end, after {line!r}")
        line += piece
    return line


def port_in(line: bytes) -> int:
    """The port in a PORT command or a 227."""
    high, low = line.strip().rstrip(b").").split(b",")[-2:]
    return int(high) * 256 + int(low)

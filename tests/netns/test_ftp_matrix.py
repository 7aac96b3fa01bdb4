"""FTP end to end: every real client with every real server, in every way."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from gateway.lab.network import CLIENT, CLIENT6
from tests.netns.ftp_case import CONTENT, FtpCase
from tests.netns.ftp_clients import CLIENTS, Client, Visit
from tests.netns.ftp_servers import SERVERS, Server
from tests.observe.reading import told

HALF = len(CONTENT) // 2

ONLY_THE_CLIENT = f"""
table inet address {{
  chain input {{
    type filter hook input priority 0;
    iifname eth0 ip saddr != {CLIENT} counter drop
    iifname eth0 ip6 saddr != {CLIENT6} meta l4proto tcp counter drop
  }}
}}
"""
"""On the servers' host: connections, and answers to connections, from the client's address only."""

ONLY_PORT_20 = """
table inet address {{
  chain input {{
    type filter hook input priority 0;
    iifname eth0 tcp flags & (syn|ack) == syn ip saddr {{ {v4} }} tcp sport != 20 counter drop
    iifname eth0 tcp flags & (syn|ack) == syn ip6 saddr {{ {v6} }} tcp sport != 20 counter drop
  }}
  chain output {{
    type filter hook output priority 0;
    udp dport 53 counter reject
  }}
}}
"""
"""On the client's host: servers connect from port 20; and there is no name server to wait for."""


class MatrixTests(FtpCase):
    """
    Client, server, IP version, mode: files go and come whole, also from their
    middle on; listings come; files are renamed and deleted. The servers see nobody
    but the client, on both channels, and active data comes to the client from port 20.
    """

    servers = tuple(SERVERS)

    def prepare(self) -> None:
        super().prepare()
        strict = [one for one in SERVERS.values() if one.data_port == 20]
        hosts = {
            f"v{version}": ", ".join(one.hosts[version] for one in strict) for version in (4, 6)
        }
        self.server.run("nft", "-f", "-", input=ONLY_THE_CLIENT)
        self.client.run("nft", "-f", "-", input=ONLY_PORT_20.format(**hosts))

    def visit(self, client: Client, server: Server, version: int, mode: str) -> None:
        """One row of the matrix."""
        folder = self.scene.folder / f"{client.name}-{server.name}-{version}-{mode}"
        folder.mkdir()
        (folder / "content").write_bytes(CONTENT)
        (folder / "partial").write_bytes(CONTENT[:HALF])
        inside = self.root(server) / "in"
        empty(inside)
        if not client.puts:
            (inside / "sent").write_bytes(CONTENT)
        before = len(self.transfers())
        client.visit(Visit(self.client, server, version, mode, folder))
        self.assertEqual((folder / "got").read_bytes(), CONTENT)
        self.assertEqual((folder / "partial").read_bytes(), CONTENT)
        self.assertIn("sent", (folder / "listing").read_text())
        self.check_server(inside, client)
        self.check_records(before, mode)

    def check_server(self, inside: Path, client: Client) -> None:
        """What is on the server in the end."""
        left = {path.name: path.read_bytes() for path in inside.iterdir()}
        self.assertEqual(left, {"kept" if client.puts else "sent": CONTENT})

    def check_records(self, before: int, mode: str) -> None:
        """
        Every transfer is in the audit, with its true size, and passed. (Records of the row
        before, which was in the other mode, may come late.)
        """
        wanted = {len(CONTENT), len(CONTENT) - HALF}

        def records() -> list[dict[str, Any]]:
            fields = [told(one) for one in self.transfers()[before:]]
            return [one for one in fields if one["mode"] == mode]

        def downloads() -> set[int]:
            return {one["size"] for one in records() if one["direction"] == "download"}

        self.wait(lambda: wanted <= downloads(), "transfers are missing in the audit")
        self.assertEqual({one["verdict"] for one in records()}, {"passed"}, records())


def empty(folder: Path) -> None:
    """Remove the files in it."""
    for path in folder.iterdir():
        path.unlink()


def _add_row(client: Client, server: Server, version: int, mode: str) -> None:
    def test(self: MatrixTests) -> None:
        self.visit(client, server, version, mode)

    test.__name__ = f"test_{client.name}_{server.name}_ipv{version}_{mode}"
    test.__qualname__ = f"MatrixTests.{test.__name__}"
    test.__doc__ = f"{client.name}, {server.name}, IPv{version}, {mode}."
    setattr(MatrixTests, test.__name__, test)


for _client, _server, _mode in product(CLIENTS.values(), SERVERS.values(), ("passive", "active")):
    for _version in _client.versions:
        _add_row(_client, _server, _version, _mode)

"""HTTP through the real gateway: names that are looked up, time limits, tunnels, goodbyes."""

from __future__ import annotations

import contextlib
import shutil
import socket
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.network import GATEWAY_WAN, MIRROR
from tests.netns.case import SECONDS, SERVER, SceneCase

RULE = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [{port}]
[http]
"""

RESOLVE = RULE.format(port=80) + 'host_check = "resolve"\n'
STRICT = RULE.format(port=81) + 'host_check = "strict"\n'
TIMED = (
    RULE.format(port=82)
    + """
[http.times]
head_seconds = 1
keepalive_seconds = 2
request_bytes_per_second = 1000
window_seconds = 2
take_seconds = 2
"""
)
TUNNELS = RULE.format(port=83) + 'connect = true\n[http.tunnels]\nconnect = "inner"\n'
INNER = 'inspector = "http"\n[http]\npaths = ["/allowed"]\n'

HOSTS = f"""
127.0.0.1 localhost
{SERVER} here.example
{MIRROR} there.example
{GATEWAY_WAN} gateway.example
10.1.200.9 printer.example
"""
"""The last one is where no rule leads to; the one before, the gateway itself."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class HttpFeatureTests(SceneCase):
    """What the inspector needs the session for."""

    services: ClassVar = {
        "resolve": RESOLVE,
        "strict": STRICT,
        "timed": TIMED,
        "tunnels": TUNNELS,
        "inner": INNER,
    }
    zones: ClassVar = """
[zones.office]
networks = ["10.1.0.0/16"]
[zones.internet]
networks = ["198.51.100.0/24", "192.0.2.0/24"]
"""

    def begin(self) -> None:
        """The gateway has names of its own, which nobody else sees, as long as it lives."""
        own = Path("/etc/netns") / self.router.name
        own.mkdir(parents=True)
        try:
            (own / "hosts").write_text(HOSTS)
            super().begin()
        finally:
            shutil.rmtree(own)
            with contextlib.suppress(OSError):
                own.parent.rmdir()

    def setUp(self) -> None:
        super().setUp()
        self.before = len(self.scene.records())  # of clients that had a port which comes again

    def ask(self, host: str, port: int = 80) -> socket.socket:
        """A client that asks the server for this host."""
        client = self.dial((SERVER, port))
        client.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return client

    def record(self, client: socket.socket) -> dict[str, Any]:
        """The only C{http} record of a client."""
        port = client.getsockname()[1]

        def found() -> list[dict[str, Any]]:
            records = self.scene.records()[self.before :]
            return [one for one in records if "http" in one and one["src_port"] == port]

        self.wait(found, "no record")
        (record,) = found()
        return record

    def heard(self, client: socket.socket, mark: bytes) -> bytes:
        """What the client hears, up to a mark."""
        said = b""
        while mark not in said:
            data = client.recv(65536)
            self.assertTrue(data, said)
            said += data
        return said

    def test_right_name(self) -> None:
        """A host that is where the connection goes is asked there."""
        listener = self.listen(80)
        client = self.ask("here.example")
        server, peer = self.accept(listener)
        self.assertEqual(peer, client.getsockname())
        server.sendall(OK)
        self.assertEqual(self.heard(client, b"hi"), OK)
        self.assertNotIn("upstream", self.record(client)["gateway"])

    def test_wrong_name(self) -> None:
        """One that is elsewhere is asked there, from the client's address; the record says all."""
        listener = self.listen(80, MIRROR)
        client = self.ask("there.example")
        server, peer = self.accept(listener)
        self.assertEqual(peer, client.getsockname())
        server.sendall(OK)
        self.heard(client, b"hi")
        record = self.record(client)
        self.assertEqual(record["dest_ip"], SERVER)
        self.assertEqual(record["http"]["hostname"], "there.example")
        self.assertEqual(record["gateway"]["upstream"]["ip"], MIRROR)

    def test_names_are_no_way_around(self) -> None:
        """No name leads to the gateway itself, nor to where the rules don't."""
        for host in ("localhost", "gateway.example", "printer.example"):
            client = self.ask(host)
            self.heard(client, b"HTTP/1.1 421 ")
            self.assertEqual(self.record(client)["http"]["status"], 421)

    def test_strict(self) -> None:
        """Or what does not agree is refused, and the server hears nothing."""
        listener = self.listen(81)
        self.heard(self.ask("there.example", 81), b"HTTP/1.1 421 ")
        self.assertQuiet(listener)
        self.ask("here.example:81", 81)
        self.accept(listener)

    def test_slow_head(self) -> None:
        """A client that does not come to the point is told so in time."""
        client = self.dial((SERVER, 82))
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        said = self.heard(client, b"\r\n\r\n")
        self.assertTrue(said.startswith(b"HTTP/1.1 408 "), said)
        self.assertIn("head_seconds", self.record(client)["gateway"]["reason"])

    def test_idle(self) -> None:
        """One that asks for nothing more is parted from; nothing is wrong with that."""
        listener = self.listen(82)
        client = self.ask("a", 82)
        server, _ = self.accept(listener)
        server.sendall(OK)
        self.heard(client, b"hi")
        self.assertEnded(client)
        address = client.getsockname()
        client.close()
        server.close()
        self.assertEqual(self.flow(address)["gateway"]["verdict"], "closed")

    def test_slow_body(self) -> None:
        """A body that dribbles is cut off, and the server is not asked to make sense of it."""
        listener = self.listen(82)
        client = self.dial((SERVER, 82))
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\na")
        server, _ = self.accept(listener)
        self.heard(server, b"\r\n\r\na")
        self.assertTrue(self.heard(client, b"\r\n\r\n").startswith(b"HTTP/1.1 400 "))
        self.assertReset(server)

    def test_blocked_body(self) -> None:
        """A client whose server does not read is not to blame, and goes on when it does."""
        listener = self.listen(82)
        client = self.dial((SERVER, 82))
        size = 64_000_000  # more than four sockets' buffers hold, however large they grow
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        server, _ = self.accept(listener)
        self.heard(server, b"\r\n\r\n")
        sent = self.fill(client, size)
        self.assertLess(sent, size)
        client.settimeout(5)
        with self.assertRaises(TimeoutError):
            client.recv(1)
        client.settimeout(SECONDS)
        left = size - sent
        while left:
            server.recv(1 << 20)
            left -= self.fill(client, left, 0.05)
        server.sendall(OK)
        self.heard(client, b"hi")

    def fill(self, client: socket.socket, size: int, seconds: float = 0.5) -> int:
        """Send so many bytes, or as many as are taken in time; how many those were."""
        client.settimeout(seconds)
        sent = 0
        try:
            while sent < size:
                sent += client.send(bytes(min(65536, size - sent)))
        except TimeoutError:
            pass
        client.settimeout(SECONDS)
        return sent

    def test_slow_reader(self) -> None:
        """A client that does not take its answer is broken off."""
        listener = self.listen(82)
        client = self.ask("a", 82)
        server, _ = self.accept(listener)
        self.heard(server, b"\r\n\r\n")
        size = 64_000_000
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        self.assertLess(self.fill(server, size), size)
        self.assertReset(server)
        record = self.record(client)["gateway"]
        self.assertIn("take_seconds", record["reason"])
        self.assertEqual(record["verdict"], "denied")

    def test_tunnel(self) -> None:
        """What is in a tunnel is inspected by the service that is named for it."""
        listener = self.listen(83)
        client = self.dial((SERVER, 83))
        client.sendall(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        server, _ = self.accept(listener)
        self.heard(server, b"\r\n\r\n")
        server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.heard(client, b"\r\n\r\n")
        client.sendall(b"GET /allowed HTTP/1.1\r\nHost: a\r\n\r\n")
        self.heard(server, b"\r\n\r\n")
        server.sendall(OK)
        self.heard(client, b"hi")
        client.sendall(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"HTTP/1.1 403 ", self.heard(client, b"\r\n\r\n"))

    def test_more_than_was_said(self) -> None:
        """A server that says more than it announced does not cost the client the answer."""
        listener = self.listen(82)
        client = self.ask("a", 82)
        server, _ = self.accept(listener)
        self.heard(server, b"\r\n\r\n")
        large = b"x" * 300_000
        server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + large + b"more")
        server.close()
        said = self.heard(client, large)
        self.assertTrue(said.endswith(large))
        self.assertEnded(client)

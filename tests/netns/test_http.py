"""HTTP, through the real gateway: real clients and servers do not notice it."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SceneCase, hear, reset

WEB = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [80, 81]
[http]
"""

OPEN = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [82]
[http]
upgrades = ["websocket"]
connect = true
"""

STACKED = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [83]
[http.stack]
request = "bodies"
response = "bodies"
"""

BODIES = """
inspector = "relay"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [9]
"""

NGINX = """
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
worker_processes 1;
user root;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 100m;
  server {{
    listen 80;
    listen 83;
    root {folder}/www;
    location /upload {{ dav_methods PUT; create_full_put_path on; dav_access all:rw; }}
    location /moved {{ return 302 /small; }}
  }}
}}
"""

LARGE = 128 << 20
UPLOAD = 8 << 20
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


class HttpCase(SceneCase):
    """What these tests have in common."""

    services: ClassVar = {"web": WEB, "open": OPEN, "stacked": STACKED, "bodies": BODIES}

    def http_records(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """The C{http} objects of the records that have these fields, as soon as there are some."""

        def found() -> list[dict[str, Any]]:
            records = (one["http"] for one in self.scene.records() if "http" in one)
            return [
                one
                for one in records
                if all(one.get(name) == value for name, value in fields.items())
            ]

        self.wait(lambda: len(found()) >= count, f"no {count} records with {fields}")
        return found()


class NginxTests(HttpCase):
    """curl and wget against nginx: what a user does, works."""

    def prepare(self) -> None:
        """A server with files of all sizes."""
        www = self.folder / "www"
        www.mkdir(parents=True)
        (self.folder / "body").mkdir()
        (www / "small").write_bytes(b"hello\n")
        with (www / "large").open("wb") as large:
            block = os.urandom(1 << 20)
            for number in range(LARGE >> 20):
                large.write(number.to_bytes(4, "big") + block[4:])
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder))
        self.server.start("nginx", "-c", str(self.folder / "nginx.conf"))
        assert wait_until(lambda: "LISTEN" in self.server.run("ss", "-Htln", "sport = :80"), 5)

    @property
    def folder(self) -> Path:
        """Where the server has its files."""
        return self.scene.folder / "nginx"

    def curl(self, *arguments: str) -> str:
        """What curl prints."""
        return self.client.run("curl", "-sS", "--max-time", "20", *arguments)

    def digest(self, name: str) -> str:
        """Of a file that the server has."""
        return hashlib.sha256((self.folder / "www" / name).read_bytes()).hexdigest()

    def test_get(self) -> None:
        """A file comes as it is, and there is a record in EVE's words."""
        url = f"http://{SERVER}/small?q=1"
        self.assertEqual(self.curl("-A", "test/1", url), "hello\n")
        (record,) = self.http_records(1, http_user_agent="test/1")
        self.assertEqual(
            record,
            {
                "hostname": SERVER,
                "url": "/small?q=1",
                "http_user_agent": "test/1",
                "http_method": "GET",
                "protocol": "HTTP/1.1",
                "http_content_type": "text/plain",
                "status": 200,
                "length": 6,
                "verdict": "passed",
            },
        )

    def test_head_and_kept_alive(self) -> None:
        """HEAD has no body; several requests go over one connection."""
        format = "%{http_code} %{num_connects} %{size_download} "
        url = f"http://{SERVER}/small"
        said = self.curl("-I", "-w", format, url, url, url, "-o", "/dev/null", "-o", "/dev/null")
        self.assertIn("Content-Length: 6", said)
        self.assertEqual(said.count("200 0 0 "), 2, said)

    def test_redirect(self) -> None:
        """A redirect of the server's is passed, followed and recorded."""
        self.assertEqual(self.curl("-L", f"http://{SERVER}/moved"), "hello\n")
        (record,) = self.http_records(1, url="/moved")
        self.assertEqual(record["redirect"], f"http://{SERVER}/small")

    def test_uploads(self) -> None:
        """With Expect: 100-continue and a length, and chunked: the server has every byte."""
        source = self.scene.folder / "upload"
        source.write_bytes(os.urandom(UPLOAD))
        for name, header in (("a", "Expect: 100-continue"), ("b", "Transfer-Encoding: chunked")):
            self.curl("-T", str(source), "-H", header, f"http://{SERVER}/upload/{name}")
            uploaded = (self.folder / "www" / "upload" / name).read_bytes()
            self.assertEqual(uploaded, source.read_bytes())
            self.http_records(1, url=f"/upload/{name}", status=201, request_length=UPLOAD)

    def test_resume(self) -> None:
        """curl and wget go on where a download was broken off; ranges are what was asked for."""
        whole = (self.folder / "www" / "large").read_bytes()[: 4 << 20]
        (self.folder / "www" / "part").write_bytes(whole)
        url = f"http://{SERVER}/part"
        for program in (
            ["curl", "-sS", "-C", "-", "-o"],
            ["wget", "-q", "-T", "10", "-c", "-O"],
        ):
            here = self.scene.folder / f"part-{program[0]}"
            here.write_bytes(whole[:1000000])
            self.client.run(*program, str(here), url)
            self.assertEqual(here.read_bytes(), whole)
        self.assertEqual(self.curl("-r", "0-3", f"http://{SERVER}/small"), "hell")

    def test_parallel(self) -> None:
        """A hundred at once."""
        script = (
            f"for i in $(seq 100); do curl -sS --max-time 20 http://{SERVER}/small & done; wait"
        )
        self.assertEqual(self.client.run("sh", "-c", script), "hello\n" * 100)

    def test_large(self) -> None:
        """A large download, complete; the gateway does not grow."""
        self.curl(f"http://{SERVER}/small")
        before = self.memory()
        here = self.scene.folder / "large"
        self.curl("-o", str(here), f"http://{SERVER}/large")
        self.assertEqual(hashlib.sha256(here.read_bytes()).hexdigest(), self.digest("large"))
        self.assertLess(self.memory() - before, 8 << 20)
        here.unlink()

    def test_stacked(self) -> None:
        """Bodies through another service's inspector, which lets them pass: they are the same."""
        source = self.scene.folder / "stacked"
        source.write_bytes(os.urandom(UPLOAD))
        self.curl("-T", str(source), f"http://{SERVER}:83/upload/stacked")
        uploaded = self.folder / "www" / "upload" / "stacked"
        self.assertEqual(uploaded.read_bytes(), source.read_bytes())
        here = self.scene.folder / "downloaded"
        self.curl("-o", str(here), f"http://{SERVER}:83/upload/stacked")
        self.assertEqual(here.read_bytes(), source.read_bytes())

    def memory(self) -> int:
        """The most memory that the gateway's process ever had."""
        process = self.scene.daemon.process
        assert process is not None
        sizes = [
            int(line.split()[1]) << 10
            for each in self.router.processes()
            for line in Path(f"/proc/{each}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return max(sizes)


class PeerTests(HttpCase):
    """Peers that misbehave, or go away."""

    def ask(self, request: bytes, port: int = 80) -> socket.socket:
        """A client that has sent this."""
        ours = self.dial((SERVER, port))
        ours.sendall(request)
        return ours

    def test_refused(self) -> None:
        """A smuggler gets a clean answer; the server never hears of the connection."""
        listener = self.listen(80)
        ours = self.ask(GET.replace(b"\r\n\r\n", b"\r\nContent-Length : 3\r\n\r\n"))
        said = hear(ours)
        self.assertTrue(said.startswith(b"HTTP/1.1 400 Bad Request\r\n"), said)
        self.assertIn(b"\r\nCache-Control: no-store\r\nConnection: close\r\n", said)
        self.assertQuiet(listener)
        (record,) = self.http_records(1, verdict="denied", status=400)
        self.assertEqual(record["offset"], GET.index(b"\r\n\r\n") + 2 + len("Content-Length"))

    def test_unreachable(self) -> None:
        """Nobody listens there: the client reads so."""
        ours = self.ask(GET, 81)
        self.assertTrue(hear(ours).startswith(b"HTTP/1.1 502 "))
        ours.close()
        self.http_records(1, status=502, verdict="failed")

    def test_server_dies(self) -> None:
        """In the middle of a body: the client can't take what it has for all."""
        for reply in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        ):
            for end in (socket.socket.close, reset):
                listener = self.listen(80)
                ours = self.ask(GET)
                theirs, _ = self.accept(listener)
                hear(theirs, len(GET))
                theirs.sendall(reply)
                hear(ours, len(reply))
                end(theirs)
                self.assertReset(ours)
                listener.close()
                ours.close()

    def test_server_says_nothing(self) -> None:
        """A server that closes without an answer: 502."""
        listener = self.listen(80)
        ours = self.ask(GET)
        theirs, _ = self.accept(listener)
        self.assertEqual(hear(theirs, len(GET)), GET)
        theirs.close()
        self.assertTrue(hear(ours).startswith(b"HTTP/1.1 502 "))

    def test_client_dies(self) -> None:
        """In the middle of an upload: the server sees a reset, and there is a record."""
        listener = self.listen(80)
        head = b"PUT /dies HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
        ours = self.ask(head + b"abc")
        theirs, _ = self.accept(listener)
        self.assertEqual(hear(theirs, len(head) + 3), head + b"abc")
        reset(ours)
        self.assertReset(theirs)
        self.http_records(1, url="/dies", verdict="failed", request_length=3)

    def test_slow_client(self) -> None:
        """Byte by byte, both ways."""
        listener = self.listen(80)
        ours = self.dial((SERVER, 80))
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET:
            ours.sendall(bytes([byte]))
        theirs, peer = self.accept(listener)
        self.assertEqual(peer, ours.getsockname())
        self.assertEqual(hear(theirs, len(GET)), GET)
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        for byte in reply:
            theirs.sendall(bytes([byte]))
        self.assertEqual(hear(ours, len(reply)), reply)

    def test_upgrade(self) -> None:
        """A WebSocket where the service allows it, and an answer where it does not."""
        request = GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self.assertTrue(hear(self.ask(request)).startswith(b"HTTP/1.1 403 "))
        listener = self.listen(82)
        ours = self.ask(request, 82)
        theirs, _ = self.accept(listener)
        self.assertEqual(hear(theirs, len(request)), request)
        switching = (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        theirs.sendall(switching + b"\x81\x00")
        self.assertEqual(hear(ours, len(switching) + 2), switching + b"\x81\x00")
        ours.sendall(b"\x81\x05")
        self.assertEqual(hear(theirs, 2), b"\x81\x05")

    def test_python_clients(self) -> None:
        """Python's own client against its own server, kept alive."""
        folder = self.scene.folder / "python"
        folder.mkdir(exist_ok=True)
        (folder / "file").write_bytes(b"x" * 100000)
        program = (
            "import http.server as h, socketserver\n"
            "class Server(h.ThreadingHTTPServer):\n"
            "    server_bind = socketserver.TCPServer.server_bind\n"  # without looking names up
            "class Handler(h.SimpleHTTPRequestHandler):\n"
            "    protocol_version = 'HTTP/1.1'\n"
            f"Server(({SERVER!r}, 81), Handler).serve_forever()\n"
        )
        server = self.server.start(
            *(sys.executable, "-c", program),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        assert wait_until(lambda: "LISTEN" in self.server.run("ss", "-Htln", "sport = :81"), 5)
        program = (
            "import http.client\n"
            f"c = http.client.HTTPConnection({SERVER!r}, 81, timeout=10)\n"
            "for _ in range(20):\n"
            "    c.request('GET', '/file'); r = c.getresponse(); print(r.status, len(r.read()))\n"
        )
        said = self.client.run(sys.executable, "-c", program)
        self.assertEqual(said, "200 100000\n" * 20)

"""What real clients and servers do besides the letter of the standards: interoperability.md."""

from __future__ import annotations

import os
import re
import socket
import threading
from pathlib import Path
from typing import ClassVar

from gateway.lab.namespace import Namespace
from tests.netns.case import SERVER, SERVER6, SceneCase, reset
from tests.netns.test_http_peers import PeerCase
from tests.netns.web import BODIES, OPEN, SMALL, STACKED, WEB, NginxCase

ENCODING = OPEN + 'targets = "encode"\n'

PATIENT = """
inspector = "http"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [84]
[http.times]
request_bytes_per_second = 1_000_000
window_seconds = 2
"""
"""A million bytes a second is more than the client's line has in these tests."""

PROXY = """
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
worker_processes 1;
user root;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:8000;
    location / {{ proxy_pass http://{server}:83; }}
  }}
}}
"""

UPLOADING = """<!DOCTYPE html>
<p id="said"></p>
<script>
  async function upload() {
    await Promise.all(Array.from({length: 6}, (_, number) => fetch(`/small?warm=${number}`)));
    const began = Date.now();
    let status;
    try {
      status = (await fetch("/upload/slow", {method: "PUT", body: "x".repeat(3000000)})).status;
    } catch (error) {
      status = String(error);
    }
    const seconds = (Date.now() - began) / 1000;
    document.getElementById("said").textContent = `status ${status} after ${seconds} s`;
    await fetch("/small?done");
  }
  upload();
</script>
"""


def slow_down(case: SceneCase, namespace: Namespace, device: str, rate: str) -> None:
    """What leaves by this device does so no faster, until the test is over."""
    queue = ("tbf", "rate", rate, "burst", "16kb", "latency", "200ms")
    namespace.run("tc", "qdisc", "add", "dev", device, "root", *queue)
    case.addCleanup(namespace.run, "tc", "qdisc", "del", "dev", device, "root")


class EarlyEndTests(PeerCase):
    """Servers that end before their answer does: what came arrives, and shows that it is part."""

    CAME = 300_000

    def download(self, head: bytes, body: bytes, end: object, *options: str) -> tuple[str, int]:
        """What curl says about a download, and how much of it arrived."""
        listener = self.listen(80)

        def serve() -> None:
            theirs, _ = listener.accept()
            theirs.recv(65536)
            theirs.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)
            end(theirs)  # type: ignore[operator]

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        target = self.scene.folder / "got"
        target.unlink(missing_ok=True)
        said = self.client.run(
            *("sh", "-c", 'curl -s "$@"; echo "exit $?"', "curl", "--max-time", "30", *options),
            *("-o", str(target), "-w", "%{size_download} ", f"http://{SERVER}/file"),
        )
        server.join(10)
        listener.close()
        return said.strip(), target.stat().st_size if target.exists() else 0

    def test_delivered(self) -> None:
        """curl gets all 300,000 of 1,000,000 bytes, and says that there should be more."""
        body = os.urandom(self.CAME)
        chunked = b"%x\r\n%s\r\n" % (len(body), body)
        for head, content in (
            (b"Content-Length: 1000000\r\n", body),
            (b"Transfer-Encoding: chunked\r\n", chunked),
        ):
            said, size = self.download(head, content, socket.socket.close)
            self.assertEqual((said, size), (f"{self.CAME} exit 18", self.CAME))
            self.assertEqual((self.scene.folder / "got").read_bytes(), body)

    def test_slow_client(self) -> None:
        """Also one behind a slow line: it takes longer than the gateway waits for goodbyes."""
        slow_down(self, self.router, "lan0", "300kbit")
        body = os.urandom(self.CAME)
        said, size = self.download(b"Content-Length: 1000000\r\n", body, socket.socket.close)
        self.assertEqual((said, size), (f"{self.CAME} exit 18", self.CAME))

    def test_until_close(self) -> None:
        """Where the end of the connection is the end of the body, a reset stays one."""
        said, _ = self.download(b"", b"a" * 1000, reset)
        self.assertIn("exit 56", said)


class ProgramTests(NginxCase):
    """Programs, and how they write what they ask for."""

    services: ClassVar = {"web": WEB, "open": ENCODING, "stacked": STACKED, "bodies": BODIES}

    def wget2(self, url: str) -> str:
        """What wget2 prints."""
        options = ("-q", "-O", "-", "--no-proxy", "--tries=1")
        return self.client.run("sh", "-c", '"$@" || true', "sh", "wget2", *options, url)

    def test_unescaped(self) -> None:
        """wget2 sends a query as it was given: refused, or escaped if the operator says so."""
        listener = self.listen(82)
        self.addCleanup(listener.close)
        asked: list[bytes] = []

        def serve() -> None:
            theirs, _ = listener.accept()
            asked.append(theirs.recv(65536))
            theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
            theirs.close()

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        self.assertEqual(self.wget2(f"http://{SERVER}:82/file?q=<\u00e4>"), "hi")
        server.join(10)
        self.assertTrue(asked[0].startswith(b"GET /file?q=%3C%C3%A4%3E HTTP/1.1\r\n"), asked)
        self.wget2(f"http://{SERVER}/small?q=<\u00e4>")
        self.http_records(1, status=400, verdict="denied")
        self.assertEqual(self.curl(f"http://{SERVER}/small?q=100%"), SMALL.decode())

    def test_wget2_and_ipv6(self) -> None:
        """wget2 escapes the colons of an address in Host; the server gets it with brackets."""
        listener = self.listen(80, host=SERVER6)
        self.addCleanup(listener.close)
        asked: list[bytes] = []

        def serve() -> None:
            theirs, _ = listener.accept()
            asked.append(theirs.recv(65536))
            theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
            theirs.close()

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        self.assertEqual(self.wget2(f"http://[{SERVER6}]/file"), "hi")
        server.join(10)
        self.assertIn(f"\r\nHost: [{SERVER6}]\r\n".encode(), asked[0])
        self.http_records(1, hostname=SERVER6, status=200, verdict="passed")

    def test_nginx_and_stacked(self) -> None:
        """nginx asks servers by HTTP/1.0: its uploads pass through another service all the same."""
        folder = self.scene.folder / "reverse"
        (folder / "body").mkdir(parents=True)
        (folder / "nginx.conf").write_text(PROXY.format(folder=folder, server=SERVER))
        proxy = self.client.start("nginx", "-c", str(folder / "nginx.conf"))
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.terminate)
        self.wait(lambda: "8000" in self.client.run("ss", "-Htln"), "nginx does not listen")
        source = folder / "source"
        source.write_bytes(os.urandom(500_000))
        said = self.curl(
            *("-T", str(source), "-o", "/dev/null", "-w", "%{http_code}"),
            "http://127.0.0.1:8000/upload/proxied",
        )
        self.assertEqual(said, "201")
        self.assertEqual((self.www / "upload" / "proxied").read_bytes(), source.read_bytes())
        self.http_records(1, url="/upload/proxied", protocol="HTTP/1.0", verdict="passed")


class SlowLineTests(NginxCase):
    """A browser behind a slow line, whose upload the gateway does not wait for."""

    services: ClassVar = {"patient": PATIENT, "web": WEB}

    def prepare(self) -> None:
        """A page that uploads over connections which it has used before."""
        super().prepare()
        conf = self.folder / "nginx.conf"
        conf.write_text(conf.read_text().replace("listen 83;", "listen 84;"))
        self.server.run("nginx", "-c", str(conf), "-s", "reload")
        self.wait_for(84)
        (self.www / "uploading.html").write_text(UPLOADING)

    def test_upload(self) -> None:
        """Chromium hears once that it takes too long, and does not send everything again."""
        slow_down(self, self.client, "eth0", "2mbit")
        said = self.browse()
        found = re.search(r"status (.*) after ([0-9.]+) s", said)
        assert found is not None, said
        self.assertEqual(found[1], "400", said)
        self.assertLess(float(found[2]), 15, said)
        records = self.http_records(1, url="/upload/slow")
        self.assertEqual([each["status"] for each in records], [400], records)
        self.assertIn("request_bytes_per_second", records[0]["denied_by"] + records[0]["reason"])

    def browse(self) -> str:
        """The document that the browser has in the end."""
        folder: Path = self.scene.folder / "browser"
        return self.client.run(
            *("chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--no-proxy-server"),
            *("--disable-background-networking", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder}", "--virtual-time-budget=60000", "--timeout=60000"),
            *("--dump-dom", f"http://{SERVER}:84/uploading.html"),
            seconds=90,
        )

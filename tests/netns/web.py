"""What the end-to-end tests of HTTP have in common: services, a web server, records, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SceneCase
from tests.observe.reading import told

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
  types {{
    text/html html; text/css css; text/javascript js; image/svg+xml svg; application/json json;
    application/octet-stream deb whl;
  }}
  default_type text/plain;
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 100m;
  gzip on;
  gzip_types text/css text/javascript;
  gzip_min_length 100;
  server {{
    listen 80;
    listen 83;
    root {folder}/www;
    location /upload {{ dav_methods PUT; create_full_put_path on; dav_access all:rw; }}
    location /little {{ client_max_body_size 1k; dav_methods PUT; }}
    location /moved {{ return 302 /small; }}
  }}
}}
"""

SMALL = b"hello\n"


class HttpCase(SceneCase):
    """The services, and what the gateway says about them."""

    services: ClassVar = {"web": WEB, "open": OPEN, "stacked": STACKED, "bodies": BODIES}

    def http_records(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """What the C{http} records say that have these fields, as soon as there are some."""

        def found() -> list[dict[str, Any]]:
            records = (told(one) for one in self.scene.records() if "http" in one)
            return [
                one
                for one in records
                if all(one.get(name) == value for name, value in fields.items())
            ]

        self.wait(lambda: len(found()) >= count, f"no {count} records with {fields}", 10)
        return found()

    def curl(self, *arguments: str) -> str:
        """What curl prints, in the client's namespace."""
        return self.client.run("curl", "-sS", "--max-time", "20", *arguments)

    def program(self, name: str, *arguments: str, seconds: float = 60) -> str:
        """What one of our small clients prints (L{tests.netns.programs})."""
        module = f"tests.netns.programs.{name}"
        return self.client.run(sys.executable, "-m", module, *arguments, seconds=seconds)

    def start_program(self, name: str, *arguments: str, port: int) -> subprocess.Popen[bytes]:
        """Start one of our small servers, and wait until it listens."""
        module = f"tests.netns.programs.{name}"
        server = self.server.start(
            *(sys.executable, "-m", module, SERVER, str(port), *arguments),
            stdout=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.wait_for(port)
        return server

    def wait_for(self, port: int) -> None:
        """Wait until somebody listens at this port of the server."""
        listening = ("ss", "-Htln", f"sport = :{port}")
        assert wait_until(lambda: "LISTEN" in self.server.run(*listening), 20), port

    def memory(self, peak: bool = True) -> int:
        """How much memory the gateway's largest process has, or ever had."""
        field = "VmHWM" if peak else "VmRSS"
        sizes = [
            int(line.split()[1]) << 10
            for each in self.router.processes()
            for line in Path(f"/proc/{each}/status").read_text().splitlines()
            if line.startswith(field)
        ]
        return max(sizes)


class NginxCase(HttpCase):
    """
    With nginx as the server.

    @cvar configuration: nginx's own.
    """

    configuration: ClassVar = NGINX

    def prepare(self) -> None:
        """A server with a small file; subclasses add theirs before."""
        (self.folder / "body").mkdir(parents=True)
        self.www.mkdir(exist_ok=True)
        (self.www / "small").write_bytes(SMALL)
        (self.folder / "nginx.conf").write_text(self.configuration.format(folder=self.folder))
        self.server.start("nginx", "-c", str(self.folder / "nginx.conf"))
        self.wait_for(80)

    @property
    def folder(self) -> Path:
        """Where the server has what it needs."""
        return self.scene.folder / "nginx"

    @property
    def www(self) -> Path:
        """Where the server has its files."""
        return self.folder / "www"

    def noise(self, name: str, size: int) -> bytes:
        """A file of the server's, with content that can't be had by chance."""
        content = os.urandom(size)
        (self.www / name).write_bytes(content)
        return content

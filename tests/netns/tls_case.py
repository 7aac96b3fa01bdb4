"""What the end-to-end tests of TLS have in common: authorities, a web server, clients, records."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.tls.issuer import Issuer, make_root
from gateway.tls.key import write_root
from tests.netns.case import SERVER, SceneCase
from tests.netns.scene import ZONES
from tests.tls.pki import DAY, NOW, Authority, Issued, rsa_key

TLS_SERVICE = """
inspector = "tls"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [443]
[tls]
inside = "web"
"""

WEB = """
inspector = "http"
[http]
"""

TRUST = """
[tls]
root = "root.pem"
system_roots = false
trust = ["public.pem"]
"""

GOOD = "good.example"
BANK = "bank.example"

NGINX = """
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
worker_processes 1;
user root;
events {{ worker_connections 1024; }}
http {{
  default_type text/html;
  types {{ text/css css; text/javascript js; image/svg+xml svg; }}
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  client_max_body_size 200m;
  ssl_session_cache none;
  ssl_protocols TLSv1.2 TLSv1.3;
{servers}
}}
"""

SERVED = """
  server {{
    listen 443 ssl{default};
    server_name {name};
    ssl_certificate {folder}/{name}.pem;
    ssl_certificate_key {folder}/{name}.pem;
    {extra}
    root {folder}/www;
    location /upload {{ dav_methods PUT; create_full_put_path on; }}
  }}
"""


@cache
def public_root() -> Authority:
    """Whom the gateway, and everybody else, believes."""
    return Authority.root("Public Root")


@cache
def public() -> Authority:
    """Who issues the servers' certificates."""
    return public_root().below("Public Issuer")


@cache
def gateway_root() -> Issuer:
    """Whom the clients of this gateway believe."""
    return make_root("Test Gateway", NOW, 3650)


@cache
def sites() -> dict[str, Issued]:
    """The certificates of the web server's names."""
    issuer, unknown = public(), Authority.root("Unknown Root").below("Unknown Issuer")
    weak = rsa_key(1024)
    return {
        GOOD: issuer.issue(GOOD, "also-good.example", SERVER),
        BANK: issuer.issue(BANK),
        "expired.example": issuer.issue("expired.example", end=NOW - DAY),
        "wrong.example": issuer.issue("somebody-else.example"),
        "unknown.example": unknown.issue("unknown.example"),
        "weak.example": issuer.issue("weak.example", key=weak),
    }


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates as a file has them."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


class TrustingCase(SceneCase):
    """The gateway has a root, which clients trust, and knows the authority of the servers."""

    gateway = TRUST

    def begin(self) -> None:
        """Write the root and the authorities beside the configuration, then start."""
        self.scene.configure(self.services, self.gateway, ZONES)
        write_root(self.scene.config / "root.pem", gateway_root())
        root = pem(public_root().issued.certificate)
        (self.scene.config / "public.pem").write_bytes(root)
        self.trusted.write_bytes(pem(gateway_root().certificate))
        self.launch()

    def launch(self) -> None:
        """Start the gateway."""
        self.scene.daemon.start()

    @property
    def trusted(self) -> Path:
        """What clients believe."""
        return self.scene.folder / "gateway.crt"


class TlsCase(TrustingCase):
    """A gateway with a root, a web server with many names, and clients that believe the root."""

    services: ClassVar = {"web-tls": TLS_SERVICE, "web": WEB}
    gateway: ClassVar = TRUST
    port: ClassVar[int] = 443
    extra: ClassVar[str] = ""
    """Lines of each of the web server's names."""

    def prepare(self) -> None:
        """A web server in the server's namespace."""
        super().prepare()
        folder = self.scene.folder / "web"
        (folder / "www").mkdir(parents=True, exist_ok=True)
        (folder / "www" / "index.html").write_text("<p>hello</p>")
        for name, issued in sites().items():
            (folder / f"{name}.pem").write_bytes(issued.pem)
        alone = sites()[GOOD]
        (folder / "alone.example.pem").write_bytes(
            Issued(public().issue("alone.example", key=alone.key).certificate, alone.key).pem
        )
        (self.scene.folder / "public.crt").write_bytes(pem(public_root().issued.certificate))
        (folder / "nginx.conf").write_text(self.nginx(folder))
        self.serve(["nginx", "-c", str(folder / "nginx.conf")], self.port)

    def nginx(self, folder: Path) -> str:
        """The web server's configuration."""
        servers = "".join(
            SERVED.format(
                folder=folder,
                name=name,
                default=" default_server" if name == GOOD else "",
                extra=self.extra
                + ("ssl_ciphers DEFAULT:@SECLEVEL=0;" if name == "weak.example" else ""),
            )
            for name in [*sites(), "alone.example"]
        )
        return NGINX.format(folder=folder, servers=servers)

    def serve(self, command: list[str], port: int) -> None:
        """Start a server, and wait until it listens."""
        log = self.scene.folder / f"{Path(command[0]).name}.log"
        with log.open("wb") as output:
            self.server.start(*command, stdout=output, stderr=output)

        def listens() -> bool:
            return f":{port} " in self.server.run("ss", "-Hltn")

        self.wait(listens, f"{command[0]} does not listen:\n{log.read_text()}", 20)

    def launch(self) -> None:
        """Write what else is beside the configuration, then start."""
        for name, content in self.beside().items():
            (self.scene.config / name).write_bytes(content)
        if self.started:
            self.scene.daemon.start()

    def beside(self) -> dict[str, bytes]:
        """More files of the configuration."""
        return {}

    def curl(self, url: str, *arguments: str, root: str = "gateway.crt") -> str:
        """What curl prints, in the client's namespace; names are all the web server's."""
        host, _, port = url.split("/")[2].partition(":")
        resolve = f"{host}:{port or 443}:{SERVER}"
        done = self.curl_done(
            "--cacert", str(self.scene.folder / root), "--resolve", resolve, *arguments, url
        )
        if done.returncode:
            raise AssertionError(f"curl: {done.returncode} {done.stderr}")
        return done.stdout

    def curl_done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """curl, whatever comes of it."""
        return subprocess.run(
            [*self.client.prefix, "curl", "-sS", "--max-time", "20", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def tls_records(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """The C{tls} records with these fields, as soon as there are some."""

        def found() -> list[dict[str, Any]]:
            return [
                one
                for one in self.scene.records()
                if one["event_type"] == "tls"
                and all(one["tls"].get(name) == value for name, value in fields.items())
            ]

        self.wait(lambda: len(found()) >= count, f"no {count} records with {fields}", 10)
        return found()

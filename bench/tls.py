"""What the loads of TLS need: certificates, a web server, and clients that believe them."""

from __future__ import annotations

import itertools
import ssl
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.tls.issuer import SERVERS, Issuer, make_root

PORT = 7900
INSPECTED = "www.bench.example"
SPLICED = "www.spliced.example"
LARGE_BYTES = 1 << 30

PAGE = "<p>" + "x" * 1000 + "</p></html>\n"

NGINX = """
daemon off;
user root;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
worker_processes 2;
events {{ worker_connections 20000; }}
worker_rlimit_nofile 65536;
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600;
  ssl_certificate {folder}/server.pem;
  ssl_certificate_key {folder}/server.pem;
  ssl_protocols TLSv1.3;
  ssl_session_tickets off;
  server {{
    listen {port} ssl backlog=4096;
    default_type text/html;
    location / {{ return 200 '{page}'; }}
    location /large {{ alias {folder}/large; }}
  }}
}}
"""


class Made(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        """Both."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return bytes(key) + self.certificate.public_bytes(Encoding.PEM)


@cache
def public() -> Issuer:
    """Who issued the server's certificate."""
    return make_root("Bench public", datetime.now(UTC), 30)


@cache
def root() -> Issuer:
    """Whom the clients of the ways between believe."""
    return make_root("Bench gateway", datetime.now(UTC), 30)


def served(issuer: Issuer) -> Made:
    """A certificate for both names."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    names = [x509.DNSName(name) for name in (INSPECTED, SPLICED)]
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, INSPECTED)]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=20))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(SERVERS, False)
        .sign(issuer.key, hashes.SHA256())
    )
    return Made(made, key)


def write(folder: Path) -> None:
    """Certificates and keys: the server's, a static one of the way's own, and both roots."""
    (folder / "server.pem").write_bytes(served(public()).pem)
    (folder / "static.pem").write_bytes(served(root()).pem)
    for name, issuer in (("public", public()), ("root", root())):
        certificate = issuer.certificate.public_bytes(Encoding.PEM)
        (folder / f"{name}.crt").write_bytes(certificate)
    (folder / "root.pem").write_bytes(Made(root().certificate, root().key).pem)
    (folder / "root.pem").chmod(0o600)
    (folder / "both.crt").write_bytes(
        (folder / "public.crt").read_bytes() + (folder / "root.crt").read_bytes()
    )
    with (folder / "large").open("wb") as file:
        file.truncate(LARGE_BYTES)


def server(folder: Path) -> list[str]:
    """The command of the web server."""
    config = folder / "tls-server.conf"
    config.write_text(NGINX.format(folder=folder, port=PORT, page=PAGE.strip()))
    return ["nginx", "-c", str(config)]


# The near end


class Client:
    """Connections of one kind: C{folder} has the roots."""

    def __init__(self, host: str, folder: str, name: str) -> None:
        self.host = host
        self.name = name
        self.context = ssl.create_default_context(cafile=f"{folder}/both.crt")
        self.request = (
            f"GET /%s HTTP/1.1\r\nHost: {name}:{PORT}\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
            "Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\n"
            "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n"
        )

    def connect(self) -> ssl.SSLSocket:
        """A new connection."""
        import socket

        plain = socket.create_connection((self.host, PORT), 10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(plain, server_hostname=self.name)

    def ask(self, sock: ssl.SSLSocket, number: int) -> bool:
        """A request for a page, and whether it came."""
        sock.sendall((self.request % f"page-{number}").encode())
        return self.answered(sock)

    def answered(self, sock: ssl.SSLSocket) -> bool:
        """Whether a page comes."""
        got = b""
        while not got.endswith(b"</html>"):
            piece = sock.recv(16384)
            if not piece:
                return False
            got += piece
        return got.startswith(b"HTTP/1.1 200 ")


def one_after_the_other(host: str, folder: str, name: str, until: float) -> tuple[int, int]:
    """New connections with a request each: how many were good, and how many failed."""
    client, done, failed = Client(host, folder, name), 0, 0
    for number in itertools.count():
        if time.monotonic() > until:
            return done, failed
        try:
            with client.connect() as sock:
                good = client.ask(sock, number)
        except OSError:
            good = False
        done, failed = done + good, failed + (not good)
    raise AssertionError


def connections(host: str, folder: str, name: str, seconds: float, size: int) -> tuple[int, int]:
    """The same by C{size} processes."""
    until = time.monotonic() + seconds
    with ProcessPoolExecutor(size) as pool:
        asked = [pool.submit(one_after_the_other, host, folder, name, until) for _ in range(size)]
        counted = [each.result() for each in asked]
    done, failed = map(sum, zip(*counted, strict=True))
    return done, failed


def requests(host: str, folder: str, seconds: float, size: int) -> tuple[int, int]:
    """Requests on C{size} connections that stay."""
    client = Client(host, folder, INSPECTED)
    sockets = [client.connect() for _ in range(size)]
    done, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for number, sock in enumerate(sockets):
            sock.sendall((client.request % f"page-{done + number}").encode())
        for sock in sockets:
            if not client.answered(sock):
                return done, 1
            done += 1
    return done, 0


def downloaded(host: str, folder: str, until: float) -> int:
    """Bytes of a large file, as often as there is time."""
    client, total = Client(host, folder, INSPECTED), 0
    buffer = bytearray(1 << 18)
    with client.connect() as sock:
        while True:
            sock.sendall((client.request % "large").encode())
            left = LARGE_BYTES
            while left > 0:
                got = sock.recv_into(buffer)
                if not got or time.monotonic() > until:
                    return total
                total += got
                left -= got


def download(host: str, folder: str, seconds: float, size: int) -> float:
    """Bytes by C{size} processes."""
    until = time.monotonic() + seconds
    with ProcessPoolExecutor(size) as pool:
        asked = [pool.submit(downloaded, host, folder, until) for _ in range(size)]
        return sum(each.result() for each in asked)


def squid_database(folder: Path) -> None:
    """Where Squid's helper keeps what it has signed."""
    program = "/usr/lib/squid/security_file_certgen"
    subprocess.run(
        [program, "-c", "-s", str(folder / "ssl_db"), "-M", "4MB"], check=True, capture_output=True
    )

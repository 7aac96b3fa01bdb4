"""The console from the network: curl, which has a certificate or a token, and TLS in between."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.lab.namespace import CommandFailed
from gateway.lab.network import GATEWAY_LAN, GATEWAY_LAN6
from tests.netns.case import RELOADED, SceneCase
from tests.tls.pki import Authority, Issued

PORT = 9181
NAME = "gateway.example"
TOKEN = "screens-token"

GATEWAY = f"""
[console]
listen = "[::]:{PORT}"
names = ["{NAME}"]
certificate = "console.pem"
tokens = "console.tokens"
client_authorities = ["operators.pem"]
writers = ["anna@example.org"]
"""

ROOT = Authority.root("root")
OPERATORS = Authority.root("operators")
FOR_CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def person(mail: str, authority: Authority = OPERATORS) -> Issued:
    """A certificate of somebody."""
    return authority.issue(names=[x509.RFC822Name(mail)], purposes=FOR_CLIENTS)


class ConsoleTlsTests(SceneCase):
    """From the clients' own network, which the gateway inspects."""

    gateway: ClassVar[str] = GATEWAY

    def begin(self) -> None:
        """A gateway whose console listens to all."""
        self.scene.configure(self.services, self.gateway, self.zones)
        files = {
            "console.pem": ROOT.issue(NAME).pem,
            "operators.pem": OPERATORS.issued.certificate_pem,
            "console.tokens": f"screen read sha256:{sha256(TOKEN.encode()).hexdigest()}\n".encode(),
        }
        for name, content in files.items():
            (self.scene.config / name).write_bytes(content)
        self.root.write_bytes(ROOT.issued.certificate_pem)
        self.scene.daemon.start()

    @property
    def root(self) -> Path:
        return self.scene.folder / "root.pem"

    def curl(self, *arguments: str, host: str = GATEWAY_LAN, name: str = NAME) -> str:
        """From a client."""
        return self.client.run(
            *("curl", "--silent", "--show-error", "--max-time", "20", "--cacert", str(self.root)),
            *("--resolve", f"{name}:{PORT}:{host}", "--header", "X-Tproxygw: curl"),
            *arguments,
        )

    def me(self, *arguments: str, **where: Any) -> Any:
        """Who that is."""
        return json.loads(self.curl(*arguments, f"https://{NAME}:{PORT}/api/me", **where))

    def shown(self, issued: Issued) -> tuple[str, ...]:
        """curl's options for a certificate."""
        file = self.scene.folder / "person.pem"
        file.write_bytes(issued.pem)
        return ("--cert", str(file))

    def test_token(self) -> None:
        """A token, over IPv4 and IPv6."""
        for host in (GATEWAY_LAN, f"[{GATEWAY_LAN6}]"):
            told = self.me("--oauth2-bearer", TOKEN, host=host)
            self.assertEqual(told, {"name": "screen", "right": "read"})
        self.assertIn("problem", self.me())

    def test_certificate(self) -> None:
        """A certificate with a name that may write; with another name; of another authority."""
        told = self.me(*self.shown(person("anna@example.org")))
        self.assertEqual(told, {"name": "anna@example.org", "right": "write"})
        self.assertIn("problem", self.me(*self.shown(person("eve@example.org"))))
        stranger = self.shown(person("anna@example.org", ROOT))
        self.assertRaises(CommandFailed, self.me, *stranger)

    def test_names(self) -> None:
        """By no other name, and not without TLS."""
        said = self.curl("--insecure", f"https://evil.example:{PORT}/", name="evil.example")
        self.assertIn("this console is not called so", said)
        self.assertRaises(CommandFailed, self.curl, f"http://{NAME}:{PORT}/")

    def test_renewed(self) -> None:
        """After a reload it shows the new certificate, and what was begun goes on."""
        other = Authority.root("other")
        certificate = self.scene.config / "console.pem"
        self.addCleanup(self.scene.reload, RELOADED)
        self.addCleanup(certificate.write_bytes, certificate.read_bytes())
        certificate.write_bytes(other.issue(NAME).pem)
        self.scene.reload(RELOADED)
        self.assertRaises(CommandFailed, self.me, "--oauth2-bearer", TOKEN)
        self.root.write_bytes(other.issued.certificate_pem)
        self.addCleanup(self.root.write_bytes, ROOT.issued.certificate_pem)
        self.assertEqual(self.me("--oauth2-bearer", TOKEN)["name"], "screen")

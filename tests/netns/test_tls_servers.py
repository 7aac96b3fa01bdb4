"""Servers of several kinds, behind an inspecting gateway."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.netns.tls_case import (
    NGINX,
    SERVED,
    TLS_SERVICE,
    WEB,
    TlsCase,
    pem,
    public,
    public_root,
)
from tests.tls.pki import Authority, Issued, rsa_key
from tests.tls.test_revocation import STAPLED, staple

KINDS = {
    "rsa.example": "",
    "old.example": "ssl_protocols TLSv1.2;",
    "curve.example": "ssl_ecdh_curve prime256v1;",
    "static.example": "ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA256;",
    "mutual.example": "ssl_verify_client on; ssl_client_certificate {folder}/clients.crt;",
    "maybe.example": "ssl_verify_client optional; ssl_client_certificate {folder}/clients.crt;",
    "partner.example": "ssl_verify_client on; ssl_client_certificate {folder}/clients.crt;",
    "stapled.example": "ssl_stapling on; ssl_stapling_file {folder}/staple.der;",
    "promised.example": "",
    "tickets.example": "ssl_session_tickets on;",
}
"""Names, and what is special about their server."""

PORTS = {name: 8440 + number for number, name in enumerate(KINDS)}
"""Each has one of its own: nginx has one protocol, and one curve, for all names of a port."""

LARGE = 100_000_000


@cache
def clients() -> Authority:
    """Who issues the clients' certificates that some servers want."""
    return Authority.root("Clients")


@cache
def issued() -> dict[str, Issued]:
    """Their certificates."""
    found = {name: public().issue(name) for name in KINDS}
    found["rsa.example"] = public().issue("rsa.example", key=rsa_key(2048))
    found["static.example"] = public().issue("static.example", key=rsa_key(2048))
    for name in ("stapled.example", "promised.example"):
        found[name] = public().issue(name, extra=[(STAPLED, False)])
    return found


class ServersTests(TlsCase):
    """What each agrees on, and what the client and the records say."""

    services: ClassVar = {
        "web-tls": TLS_SERVICE.replace("[443]", '[443, "8440-8450"]')
        + 'invalid = "page"\n'
        + '[[tls.rule]]\nname = ["partner.example"]\nmode = "inspect"\n'
        + 'own_certificate = "own.pem"\n',
        "web": WEB,
    }
    port = PORTS["rsa.example"]

    def beside(self) -> dict[str, bytes]:
        """The gateway's own certificate, for servers that want one."""
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return {"own.pem": clients().issue("gateway.example", purposes=purposes).pem}

    def nginx(self, folder: Path) -> str:
        """A server of each kind."""
        (folder / "clients.crt").write_bytes(pem(clients().issued.certificate))
        said = staple(issued()["stapled.example"], issuer=public())
        (folder / "staple.der").write_bytes(said)
        for name, each in issued().items():
            (folder / f"{name}.pem").write_bytes(each.pem)
        with (folder / "www" / "large").open("wb") as file:
            file.truncate(LARGE)
        servers = "".join(
            SERVED.replace("443", str(PORTS[name])).format(
                folder=folder, name=name, default="", extra=extra.format(folder=folder)
            )
            for name, extra in KINDS.items()
        )
        self.assertTrue(public_root().is_root)
        return NGINX.format(folder=folder, servers=servers)

    def fetch(self, name: str, path: str, *arguments: str) -> str:
        """What curl gets."""
        return self.curl(f"https://{name}:{PORTS[name]}{path}", *arguments)

    def agreed(self, name: str, count: int = 1) -> dict[str, Any]:
        """What the last of so many records says was agreed with the server."""
        record = self.tls_records(count, sni=name)[-1]
        said: dict[str, Any] = record["gateway"]["tls"]["server"]
        return said

    def test_rsa(self) -> None:
        """A server with an RSA key; the client gets a certificate on P-256 all the same."""
        self.assertEqual(self.fetch("rsa.example", "/"), "<p>hello</p>")
        self.assertEqual(self.agreed("rsa.example")["version"], "TLS 1.3")

    def test_old(self) -> None:
        """A server of TLS 1.2 beside a client of TLS 1.3: each gets the best that it has."""
        self.assertEqual(self.fetch("old.example", "/", "--tlsv1.3"), "<p>hello</p>")
        record = self.tls_records(1, sni="old.example")[-1]["gateway"]["tls"]
        self.assertEqual(record["server"]["version"], "TLS 1.2")
        self.assertEqual(record["client"]["version"], "TLS 1.3")

    def test_one_curve(self) -> None:
        """A server that has only P-256 asks us to say hello once more."""
        self.assertEqual(self.fetch("curve.example", "/"), "<p>hello</p>")
        self.assertEqual(self.agreed("curve.example")["group"].lower(), "secp256r1")

    def test_static_key_exchange(self) -> None:
        """One that knows no forward secrecy is still talked to, as browsers do."""
        self.assertEqual(self.fetch("static.example", "/"), "<p>hello</p>")
        self.assertEqual(self.agreed("static.example")["cipher"], "AES128-SHA256")

    def test_mutual(self) -> None:
        """
        A server that wants to know the client says itself that it does not; it is recorded. One
        gets a certificate of the gateway's.
        """
        said = self.fetch("maybe.example", "/")
        self.assertEqual(said, "<p>hello</p>")
        self.assertTrue(self.agreed("maybe.example")["wants_certificate"])
        said = self.fetch("mutual.example", "/")
        self.assertIn("No required SSL certificate was sent", said)
        self.assertTrue(self.agreed("mutual.example")["wants_certificate"])
        self.assertEqual(self.fetch("partner.example", "/"), "<p>hello</p>")

    def test_stapled(self) -> None:
        """A server that staples an answer is believed; one that breaks its promise is not."""
        self.assertEqual(self.fetch("stapled.example", "/"), "<p>hello</p>")
        said = self.fetch("promised.example", "/", "-w", "%{http_code}")
        self.assertIn("it must come with a good OCSP response", said)
        self.assertTrue(said.endswith("502"), said)

    def test_goes_on(self) -> None:
        """A server that gives tickets gets one from the next session of the same client."""
        for _ in range(2):
            self.assertEqual(self.fetch("tickets.example", "/"), "<p>hello</p>")
        self.wait(
            lambda: self.agreed("tickets.example", 2).get("resumed"), "no session went on", 10
        )

    def test_large(self) -> None:
        """A hundred megabytes each way arrive whole."""
        folder = self.scene.folder
        self.fetch("rsa.example", "/large", "-o", str(folder / "got"))
        self.assertEqual((folder / "got").stat().st_size, LARGE)
        sent = folder / "sent"
        sent.write_bytes(b"0123456789" * (LARGE // 10))
        said = self.fetch(
            "old.example",
            "/upload/it",
            "-T",
            str(sent),
            "-w",
            "%{http_code}",
            "-H",
            "Expect:",
        )
        self.assertTrue(said.endswith("201"), said)
        uploaded = folder / "web" / "www" / "upload" / "it"
        self.assertEqual(uploaded.read_bytes(), sent.read_bytes())

    def test_nobody_there(self) -> None:
        """A server that is not there is told by a page, as for HTTP without TLS."""
        done = self.curl_done(
            "--cacert",
            str(folder_of(self) / "gateway.crt"),
            "--resolve",
            "away.example:443:198.51.100.99",
            "--max-time",
            "25",
            "-w",
            "%{http_code}",
            "https://away.example/",
        )
        self.assertIn("504 Gateway Timeout", done.stdout, done)
        self.assertTrue(done.stdout.endswith("504"), done)


def folder_of(case: TlsCase) -> Path:
    """Where the roots are."""
    return case.scene.folder

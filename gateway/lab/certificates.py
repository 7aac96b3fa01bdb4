"""
The laboratory's own authorities: one that issues the certificates of its servers, and, unless the
operator has one, a root for the gateway.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import evolve, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.tls.issuer import Issuer, make_root
from gateway.tls.key import write_root
from gateway.tls.template import Template

SITES = {
    "www.example.org": "a page",
    "clinic.example": "a page that is nobody's business",
    "old.example": "a page whose certificate has expired",
}
"""Names of servers that speak TLS, and what is there."""

EXPIRED = "old.example"

PUBLIC = "public.pem"
ROOT = "root.pem"
GATEWAY = "gateway.pem"
"""The certificate of the gateway's root, without its key."""

CLIENTS = "clients.pem"
"""What the laboratory's clients believe."""

_DAYS = 30


@frozen
class Certificates:
    """A folder with all of them."""

    folder: Path

    def make(self) -> None:
        """The authority of the servers, and their certificates."""
        now = datetime.now(UTC)
        public = make_root("Laboratory", now, _DAYS)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / PUBLIC).write_bytes(public.certificate.public_bytes(Encoding.PEM))
        for name in SITES:
            self._site(public, name, now)

    def _site(self, public: Issuer, name: str, now: datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        template = Template(
            (name,), (), name, int((midnight - timedelta(days=1)).timestamp()), int(now.timestamp())
        )
        if name != EXPIRED:
            template = evolve(template, end=int((now + timedelta(days=_DAYS)).timestamp()))
        else:
            template = evolve(template, end=int((midnight - timedelta(hours=1)).timestamp()))
        made = public.issue(template, key.public_key())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / f"{name}.pem").write_bytes(pem + made.public_bytes(Encoding.PEM))

    def believed(self, root: Path) -> None:
        """
        What clients believe: the servers' authority, and the gateway's root.

        @param root: the file with its key. It is made if it is not there.
        """
        if not root.exists():
            write_root(root, make_root("The laboratory's gateway", datetime.now(UTC), _DAYS))
        chain = x509.load_pem_x509_certificates(root.read_bytes())
        public = (self.folder / PUBLIC).read_bytes()
        gateway = chain[0].public_bytes(Encoding.PEM)
        (self.folder / GATEWAY).write_bytes(gateway)
        (self.folder / CLIENTS).write_bytes(public + gateway)

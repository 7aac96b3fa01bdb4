"""A signer without a process, for tests that are about something else."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred, fail, succeed

from gateway.tls.desk import Desk, Pace
from gateway.tls.issuer import Issuer, make_root
from gateway.tls.minter import Minter
from gateway.tls.signing import Roots, SignerError
from gateway.tls.template import Template


@cache
def trusted() -> Issuer:
    """The root that clients trust."""
    return make_root("Test Gateway", datetime.now(UTC), 3650)


@cache
def untrusted() -> Issuer:
    """The root that nobody does."""
    return make_root("Not trusted by this gateway", datetime.now(UTC), 3650)


@cache
def leaf_key() -> ec.EllipticCurvePrivateKey:
    """The gateway's own key."""
    return ec.generate_private_key(ec.SECP256R1())


class DeskSigning:
    """Asks a desk, and gets its answer at once; C{asked} counts."""

    def __init__(self) -> None:
        self._desk = Desk(trusted(), untrusted(), Pace(1000, 1000, lambda: 0.0))
        self.asked = 0
        self._ask({"number": 0, "key": _text(leaf_key().public_key())})

    def sign(self, template: Template) -> Deferred[x509.Certificate]:
        """A certificate."""
        self.asked += 1
        said = self._ask({"number": self.asked, "template": template.encode()})
        if "error" in said:
            return fail(SignerError(said["error"]))
        return succeed(x509.load_der_x509_certificate(base64.b64decode(said["certificate"])))

    def _ask(self, request: dict[str, object]) -> dict[str, str]:
        answer = self._desk.answer(json.dumps(request).encode())
        assert answer is not None, request
        said: dict[str, str] = json.loads(answer)
        return said


def _text(key: ec.EllipticCurvePublicKey) -> str:
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(spki).decode()


def minter(most: int = 1000) -> tuple[Minter, DeskSigning]:
    """A minter, and who signs for it."""
    signing = DeskSigning()
    return Minter(leaf_key(), Roots(trusted().chain, untrusted().chain), signing, most), signing

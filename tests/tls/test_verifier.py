"""What is wrong with a server's certificate: the gateway, OpenSSL and cryptography compared."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from twisted.trial.unittest import SynchronousTestCase

from gateway.tls.certificate import read
from gateway.tls.revocation import Revoked
from gateway.tls.trust import Trust
from gateway.tls.verifier import Verifier
from tests.tls.chains import ROWS, Row


def gateway(row: Row) -> list[str]:
    """The words for what the gateway finds."""
    verifier = Verifier(Trust(row.trusted()), Revoked())
    sent = [read(der) for der in row.make().der]
    return sorted(
        {flaw.kind.value for flaw in verifier.flaws(sent, row.name, row.when.timestamp())}
    )


def openssl(row: Row) -> str:
    """What OpenSSL's own program says; empty if all is well."""
    with TemporaryDirectory() as folder:
        files = {"roots.pem": row.trusted(), "leaf.pem": row.make().chain[:1]}
        files["between.pem"] = row.make().between
        for name, certificates in files.items():
            content = b"".join(each.public_bytes(Encoding.PEM) for each in certificates)
            Path(folder, name).write_bytes(content)
        command = ["openssl", "verify", "-purpose", "sslserver", "-auth_level", "2"]
        command += ["-attime", str(int(row.when.timestamp())), "-no-CApath", "-no-CAstore"]
        command += ["-CAfile", "roots.pem"] if row.trusted() else ["-no-CAfile"]
        command += ["-untrusted", "between.pem"] if row.make().between else []
        command += ["-verify_hostname" if _is_name(row.name) else "-verify_ip", row.name]
        done = subprocess.run(
            [*command, "leaf.pem"], cwd=folder, capture_output=True, text=True, timeout=30
        )
    return done.stderr


def cryptography(row: Row) -> str:
    """What the verifier of the I{cryptography} package says; empty if all is well."""
    if not row.trusted():
        return "it does not take an empty store"
    subject = x509.DNSName(row.name) if _is_name(row.name) else x509.IPAddress(ip_address(row.name))
    try:
        policy = PolicyBuilder().store(Store(list(row.trusted()))).time(row.when)
        verifier = policy.build_server_verifier(subject)
        verifier.verify(row.make().certificate, list(row.make().between))
    except (VerificationError, ValueError) as error:
        return str(error)
    return ""


def _is_name(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return True
    return False


class ChainTests(SynchronousTestCase):
    """The table of chains."""


def _add(row: Row) -> None:
    def test(self: ChainTests) -> None:
        self.assertEqual(gateway(row), sorted(kind.value for kind in row.gateway))
        self.assertEqual(openssl(row) == "", row.openssl, openssl(row))
        self.assertEqual(cryptography(row) == "", row.cryptography, cryptography(row))
        agreed = {row.openssl, row.cryptography, not row.gateway}
        self.assertEqual(
            len(agreed) > 1, bool(row.why), "a difference needs a reason, and only that"
        )

    test.__doc__ = f"{row.what}: {', '.join(k.value for k in row.gateway) or 'believed'}."
    word = "".join(letter if letter.isalnum() else "_" for letter in row.what.lower())
    name = f"test_{word}"
    assert not hasattr(ChainTests, name), name
    setattr(ChainTests, name, test)


for _row in ROWS():
    _add(_row)

"""A certificate for this host's server, by the authority that all suites have."""

# mypy: ignore-errors

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY = Path(os.environ["CONFORMANCE_AUTHORITY"])


def issued(file):
    """Write it, with its key and the authority's own certificate behind it, to a file."""
    pem = AUTHORITY.read_bytes()
    issuer, signing = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    local = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
    names = [x509.DNSName("localhost"), *map(x509.IPAddress, local)]
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(signing, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    authority = issuer.public_bytes(Encoding.PEM)
    file.write_bytes(secret + made.public_bytes(Encoding.PEM) + authority)
    return file

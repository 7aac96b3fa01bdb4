"""Certificates by the authority that all suites have."""

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
SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def signed(subject, key, extensions):
    """A certificate that is valid for some days."""
    pem = AUTHORITY.read_bytes()
    issuer, signing = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    return builder.sign(signing, hashes.SHA256()).public_bytes(Encoding.PEM)


def again(pem):
    """A certificate for the same names and key as another one."""
    former = x509.load_pem_x509_certificate(pem)
    names = former.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return signed(former.subject, former.public_key(), [names, SERVERS])


def issued(file):
    """Write one, with its key and the authority's own certificate behind it, to a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    local = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
    names = [x509.DNSName("localhost"), *map(x509.IPAddress, local)]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = signed(subject, key.public_key(), [x509.SubjectAlternativeName(names), SERVERS])
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    authority = x509.load_pem_x509_certificate(AUTHORITY.read_bytes())
    file.write_bytes(secret + made + authority.public_bytes(Encoding.PEM))
    return file

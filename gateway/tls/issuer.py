"""
Issuers: the roots that sign the certificates which clients are given.

There are two. One is the operator's, which clients trust. The other is made at each
start and installed nowhere: what it signs no client believes, and that is what it is
for, since a server's certificate that can't be believed must not look better.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.tls.template import Template, general_names

UNTRUSTED = "Not trusted by this gateway"
"""The name that a person reads in the browser's warning."""

DIGITAL_SIGNATURE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
SIGN_CERTIFICATES = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
SERVERS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


@frozen
class Issuer:
    """
    Signs certificates.

    @ivar chain: its certificate, and those up to a root that clients have, if it is none itself.
    """

    chain: tuple[x509.Certificate, ...]
    key: Any = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """Its own."""
        return self.chain[0]

    def issue(self, template: Template, key: Any) -> x509.Certificate:
        """
        A server's certificate.

        @param key: the public key that it is about.
        @raise ValueError: its dates are none that a certificate can have.
        """
        own = self.certificate
        begin = max(_utc(template.begin), own.not_valid_before_utc)
        end = min(_utc(template.end), own.not_valid_after_utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(template.subject) if template.subject else x509.Name([]))
            .issuer_name(own.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(begin, end))
            .not_valid_after(max(begin, end))
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(DIGITAL_SIGNATURE, True)
            .add_extension(SERVERS, False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
            .add_extension(_identifier(own), False)
        )
        names = list(general_names(template))
        if names:
            alternative = x509.SubjectAlternativeName(names)
            builder = builder.add_extension(alternative, not template.subject)
        return builder.sign(self.key, digest_for(self.key))


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)


def digest_for(key: Any) -> Any:
    """The hash that fits a key: as strong as it is (RFC 5480, section 4)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {256: hashes.SHA256(), 384: hashes.SHA384()}.get(key.curve.key_size, hashes.SHA512())
    return hashes.SHA256()


def _only(permitted: tuple[str, ...]) -> x509.NameConstraints:
    """These domains, what is below them, and no address: each kind of name is its own matter."""
    domains = [x509.DNSName(each.removeprefix(".")) for each in permitted]
    everywhere = [x509.IPAddress(IPv4Network("0.0.0.0/0")), x509.IPAddress(IPv6Network("::/0"))]
    return x509.NameConstraints(domains, everywhere)


def make_root(
    name: str, now: datetime, days: int, permitted: tuple[str, ...] = (), key: Any = None
) -> Issuer:
    """
    A root of our own.

    @param name: its common name, which people will read.
    @param permitted: the domains that it may issue for; empty: all, and addresses too (RFC 5280,
        section 4.2.1.10).
    @param key: of a token; left out: a new one on P-256.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(True, 0), True)
        .add_extension(SIGN_CERTIFICATES, True)
        .add_extension(SERVERS, False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    if permitted:
        builder = builder.add_extension(_only(permitted), True)
    return Issuer((builder.sign(key, digest_for(key)),), key)

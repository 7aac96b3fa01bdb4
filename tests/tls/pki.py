"""Certificates of our own making, good ones and bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def p256() -> ec.EllipticCurvePrivateKey:
    """A key as most certificates have it."""
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """An RSA key."""
    return rsa.generate_private_key(65537, bits)


def common_name(text: str) -> x509.Name:
    """A distinguished name with this common name only."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@frozen
class Issued:
    """A certificate with its key and those between it and its root."""

    certificate: x509.Certificate
    key: Any = field(repr=False)
    between: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key alone."""
        return bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @property
    def pem(self) -> bytes:
        """Key, certificate, and those between."""
        chain = b"".join(each.public_bytes(Encoding.PEM) for each in self.chain)
        return self.key_pem + chain

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What a server sends."""
        return (self.certificate, *self.between)

    @property
    def der(self) -> tuple[bytes, ...]:
        """What a server sends, as DER."""
        return tuple(each.public_bytes(Encoding.DER) for each in self.chain)


LEFT_OUT: Any = object()
"""An extension that a certificate is made without."""


@frozen
class Authority:
    """Who issues certificates: a root, or one below it."""

    issued: Issued
    is_root: bool = True

    @classmethod
    def root(cls, name: str, key: Any = None, **ways: Any) -> Authority:
        """A self-signed one."""
        key = key or p256()
        certificate = make(common_name(name), key, common_name(name), key, authority=True, **ways)
        return cls(Issued(certificate, key))

    def below(self, name: str, key: Any = None, **ways: Any) -> Authority:
        """An authority that this one has issued."""
        ways.setdefault("authority", True)
        return Authority(self._issue(common_name(name), key or p256(), ways), False)

    def issue(self, *names: str, key: Any = None, **ways: Any) -> Issued:
        """A server's certificate for these DNS names."""
        ways.setdefault("names", [x509.DNSName(name) for name in names])
        subject = ways.pop("subject", common_name(names[0] if names else "nobody"))
        return self._issue(subject, key or p256(), ways)

    def _issue(self, subject: x509.Name, key: Any, ways: dict[str, Any]) -> Issued:
        own = self.issued
        issuer = ways.pop("issuer", own.certificate.subject)
        made = make(subject, key, issuer, own.key, issuer_key=own.certificate.public_key(), **ways)
        return Issued(made, key, () if self.is_root else (own.certificate, *own.between))


def make(
    subject: x509.Name,
    key: Any,
    issuer: x509.Name,
    signing: Any,
    *,
    authority: bool = False,
    names: Sequence[x509.GeneralName] = (),
    begin: datetime = NOW - 30 * DAY,
    end: datetime = NOW + 60 * DAY,
    path_length: int | None = None,
    usage: Any = None,
    purposes: Any = None,
    constraints: Any = None,
    digest: Any = None,
    serial: int = 0,
    issuer_key: Any = None,
    names_critical: bool = False,
    extra: Sequence[tuple[Any, bool]] = (),
) -> x509.Certificate:
    """
    A certificate.

    @param usage: the key usage; LEFT_OUT for none.
    @param purposes: the extended key usage; LEFT_OUT for none.
    @param constraints: name constraints.
    @param extra: more extensions, and whether they are critical.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension, critical in _extensions(
        key, authority, names, path_length, usage, purposes, names_critical
    ):
        if extension is not LEFT_OUT:
            builder = builder.add_extension(extension, critical)
    if issuer_key is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
        builder = builder.add_extension(identifier, False)
    if constraints is not None:
        builder = builder.add_extension(constraints, True)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signing, hashes.SHA256() if digest is None else digest)


def _extensions(
    key: Any,
    authority: bool,
    names: Sequence[x509.GeneralName],
    path_length: int | None,
    usage: Any,
    purposes: Any,
    names_critical: bool,
) -> list[tuple[Any, bool]]:
    basic = x509.BasicConstraints(ca=authority, path_length=path_length)
    found: list[tuple[Any, bool]] = [
        (basic, True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (usage or key_usage(authority), True),
    ]
    if names:
        found.append((x509.SubjectAlternativeName(names), names_critical))
    if purposes is not None:
        found.append((purposes, False))
    elif not authority:
        found.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
    return found


def key_usage(authority: bool, **ways: bool) -> x509.KeyUsage:
    """The usual one of an authority, or of a server."""
    asked = {
        "digital_signature": True,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": authority,
        "crl_sign": authority,
        "encipher_only": False,
        "decipher_only": False,
    }
    return x509.KeyUsage(**{**asked, **ways})

"""Reading certificates that strangers wrote. Nothing in them is believed to be well formed."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from ipaddress import ip_address
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.agreement import Certificate

T = TypeVar("T")

MOST_NAMES = 2000
"""Names of one certificate that are looked at. Let's Encrypt issues for 100; some had 1,000."""

NAMELESS: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

SHORT = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
}


def read(der: bytes) -> Certificate:
    """What there is to know of a certificate; what can't be read is left out."""
    fingerprint = sha256(der).hexdigest()
    loaded = load(der)
    if loaded is None:
        return Certificate(der, fingerprint)
    return Certificate(
        der,
        fingerprint,
        _or(lambda: distinguished(loaded.subject), ""),
        _or(lambda: distinguished(loaded.issuer), ""),
        _or(lambda: f"{loaded.serial_number:X}", ""),
        *_or(lambda: _names(loaded), NAMELESS),
        _or(lambda: loaded.not_valid_before_utc, None),
        _or(lambda: loaded.not_valid_after_utc, None),
    )


def load(der: bytes) -> x509.Certificate | None:
    """The certificate, or C{None} if it is not one."""
    return _or(lambda: x509.load_der_x509_certificate(der), None)


def distinguished(name: x509.Name) -> str:
    """A distinguished name as one line, first things first: C{"C=DE, O=Example, CN=a.example"}."""
    return ", ".join(
        f"{SHORT.get(each.oid, each.oid.dotted_string)}={_text(each)}" for each in name
    )


def _text(attribute: x509.NameAttribute[str | bytes]) -> str:
    value = attribute.value
    return value if isinstance(value, str) else value.hex()


def _names(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    The DNS names, in lower case, and the addresses that a certificate is for. The common name is
    none (RFC 9525, section 2).
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return NAMELESS
    found = list(extension.value)[:MOST_NAMES]
    return (
        tuple(each.value.lower() for each in found if isinstance(each, x509.DNSName)),
        tuple(str(each.value) for each in found if isinstance(each, x509.IPAddress)),
    )


def is_for(certificate: Certificate, name: str) -> bool:
    """
    Whether a certificate is for this DNS name or address (RFC 9525, section 6.3).

    A wildcard is the whole of the first label, and two labels at least follow.
    """
    try:
        return str(ip_address(name)) in certificate.addresses
    except ValueError:
        pass
    wanted = name.lower().removesuffix(".")
    _, dot, parent = wanted.partition(".")
    accepted = {wanted, f"*.{parent}"} if dot and "." in parent else {wanted}
    return not accepted.isdisjoint(certificate.names)


def _or(read: Callable[[], T], otherwise: T) -> T:
    """What is read; something else if a stranger's certificate does not have it in a known form."""
    try:
        return read()
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType, x509.DuplicateExtension):
        return otherwise

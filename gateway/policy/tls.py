"""TLS, for the whole gateway and for those who speak it."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

from gateway.policy.files import NamedFile
from gateway.policy.settings import option


def read_certificates(file: NamedFile) -> Any:
    """The certificates in a PEM file."""
    from cryptography import x509

    try:
        return tuple(x509.load_pem_x509_certificates(file.content))
    except ValueError:
        file.complain("holds no certificate, or one that is broken: PEM is wanted")
        return ()


def read_revoked(file: NamedFile) -> Any:
    """A certificate revocation list, PEM or DER."""
    from cryptography import x509

    pem = b"-----BEGIN" in file.content
    load = x509.load_pem_x509_crl if pem else x509.load_der_x509_crl
    try:
        return load(file.content)
    except ValueError:
        file.complain("is no certificate revocation list, neither PEM nor DER")
        return None


def read_ciphers(text: str) -> str:
    """Cipher suites of TLS 1.2, as OpenSSL writes them."""
    if text:
        from OpenSSL import SSL

        try:
            SSL.Context(SSL.TLS_METHOD).set_cipher_list(text.encode())
        except (SSL.Error, ValueError):
            raise ValueError(
                f'OpenSSL knows no cipher suite "{text}": see openssl-ciphers(1)'
            ) from None
    return text


@frozen
class Identity:
    """A certificate of the gateway's own, with those above it, and its key, in PEM."""

    pem: bytes = field(repr=False)


def read_identity(file: NamedFile) -> Any:
    """A PEM file with a key and its certificate, and perhaps those above it."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        own = load_pem_private_key(file.content, None).public_key()
        certified = x509.load_pem_x509_certificates(file.content)[0].public_key()
    except (ValueError, TypeError):
        file.complain("must hold a certificate and its key, not encrypted: PEM is wanted")
        return None
    except UnsupportedAlgorithm as error:
        file.complain(f"holds a key that can't be used: {error}")
        return None
    if certified != own:
        file.complain("its first certificate is not that of its key")
    return Identity(file.content)


@frozen
class Tls:
    """The C{[tls]} table of gateway.toml."""

    root: str = option(
        "The root that signs the certificates which clients are given: a PEM file with its key and "
        "its certificate, which `tproxygw tls root` makes, or the address of a key in a PKCS#11 "
        'token, such as "pkcs11:token=gateway;object=root?module-path=FILE&pin-source=FILE". Only '
        "the signer reads it, so that it should be readable by root only. Needed where something "
        "inspects TLS.",
        "",
    )
    root_certificate: str = option(
        "A PEM file with the root's certificate, if it is not in the file of its key. If it is not "
        "a root itself, those above it may follow.",
        "",
    )
    system_roots: bool = option("Whether servers are believed that this host believes.", True)
    trust: tuple[Any, ...] = option(
        "PEM files with certificates of authorities that are believed as well.",
        (),
        file=read_certificates,
    )
    intermediates: tuple[Any, ...] = option(
        "PEM files with certificates of issuers that servers forget to send. They are not trusted "
        "for themselves.",
        (),
        file=read_certificates,
    )
    revoked: tuple[Any, ...] = option(
        "Certificate revocation lists, PEM or DER. What an issuer has issued that is on none of "
        "them, or whose list is out of date, is not believed.",
        (),
        file=read_revoked,
    )
    certificates: int = option(
        "Certificates of our own that are kept. Others have to be signed again.",
        1000,
        unit="certificates",
        precedent="Squid's dynamic_cert_mem_cache_size is 4 MB",
        minimum=1,
    )
    certificates_per_second: float = option(
        "Certificates that are signed in a second; ten times as many in a burst.",
        50.0,
        unit="certificates",
        minimum=0.1,
    )
    handshakes_per_client: int = option(
        "Handshakes at one time with one client's address; more have to wait.",
        20,
        unit="handshakes",
        precedent="a browser has 6 connections to one server",
        minimum=1,
    )
    key_log: str = option(
        "A file for the secrets of all connections (SSLKEYLOGFILE), to look into a capture with "
        'Wireshark. Whoever reads it can read all that was said. "": none, as it should be.',
        "",
    )


@frozen
class Terms:
    """What must be agreed with a peer, whichever side it is."""

    minimum: Literal["1.2", "1.3"] = option("The lowest version of TLS.", "1.2")
    ciphers: str = option(
        'Cipher suites of TLS 1.2, as openssl-ciphers(1) writes them, such as "ECDHE+AESGCM". '
        "Left out: OpenSSL's own choice.",
        "",
        read=read_ciphers,
    )
    handshake_seconds: float = option(
        "Time for each handshake.",
        10.0,
        unit="seconds",
        precedent="HAProxy's examples: 5; Squid: 30",
        minimum=0.1,
    )


@frozen
class ServerTerms(Terms):
    """
    The same with a server, and what it is told.

    @ivar identity: the certificate of the gateway's own that it is shown if it asks for one.
    @ivar hybrid: whether key exchanges are offered that quantum computers don't break either.
    """

    identity: Identity | None = field(default=None, kw_only=True)
    hybrid: bool = field(default=True, kw_only=True)

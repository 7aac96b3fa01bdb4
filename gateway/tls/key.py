"""
Where a root comes from: a PEM file with its key and certificate, or a key in a
PKCS#11 token and a PEM file with the certificate.

Only the signer reads keys.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gateway.tls.issuer import Issuer
from gateway.tls.token import open_key
from gateway.tls.uri import TOKEN, RootError


def load_root(folder: Path, root: str, certificate: str = "") -> Issuer:
    """
    The root that clients trust.

    @param folder: of the configuration; names of files are relative to it.
    @param root: the name of a file with key and certificates, or the address of a key in a token.
    @param certificate: the name of a file with the certificates, if they are not in C{root}'s.
    @raise RootError: it can't be read, is no root, or its key may be read by others.
    """
    if root.startswith(TOKEN):
        if not certificate:
            raise RootError("a key in a token needs tls.root_certificate")
        key = open_key(root)
        chain = certificates(folder / certificate)
    else:
        path = folder / root
        check_private(path)
        key = private_key(path)
        chain = certificates(folder / certificate if certificate else path)
    return checked(Issuer(chain, key))


def check_private(path: Path) -> None:
    """
    Whether nobody but its owner can read the file.

    @raise RootError: somebody can, or it is not there.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise RootError(f"{path}: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise RootError(f"{path} is not a file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise RootError(
            f"{path} can be read by others: whoever has this key can pretend to be any server. "
            f"Say: chmod 600 {path}"
        )


def private_key(path: Path) -> Any:
    """
    The key in a PEM file.

    @raise RootError: there is none, or it is locked.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise RootError(f"{path}: {error.strerror}") from None
    except TypeError:
        raise RootError(f"{path}: the key has a passphrase; nobody is there to type it") from None
    except (ValueError, UnsupportedAlgorithm):
        raise RootError(f"{path}: there is no private key in it") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise RootError(f"{path}: the key must be an EC or an RSA key")
    return key


def certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """
    The certificates in a PEM file.

    @raise RootError: there is none.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise RootError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise RootError(f"{path}: there is no certificate in it") from None


def checked(issuer: Issuer) -> Issuer:
    """@raise RootError: it can't issue anything."""
    certificate = issuer.certificate
    if _public(certificate.public_key()) != _public(issuer.key.public_key()):
        raise RootError("the root's certificate is for another key")
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        basic = x509.BasicConstraints(False, None)
    if not basic.ca:
        raise RootError("the root's certificate is none of an authority (CA:TRUE is missing)")
    return issuer


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def write_root(path: Path, issuer: Issuer) -> None:
    """
    Write key and certificate, for nobody else to read. What is there is not overwritten.

    @raise FileExistsError: it is there.
    """
    key = issuer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(each.public_bytes(Encoding.PEM) for each in issuer.chain)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key + chain)


def expires(issuer: Issuer) -> datetime:
    """When nothing of what it signs is valid any more."""
    return min(each.not_valid_after_utc for each in issuer.chain)

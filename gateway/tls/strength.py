"""
Keys and signatures that can be forged: fewer than 112 bits of security (NIST SP 800-57, part 1,
table 2; OpenSSL's security level 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from gateway.agreement import Flaw, Invalid

RSA_BITS = 2048
CURVE_BITS = 224

FORGEABLE = (hashes.MD5, hashes.SHA1)


def weak(chain: Sequence[x509.Certificate]) -> Iterator[Flaw]:
    """
    What is weak in a verified chain, leaf first. Its last certificate is trusted for what it
    is: nobody looks at its signature.
    """
    for depth, certificate in enumerate(chain):
        key = _weak_key(certificate)
        if key:
            yield Flaw(Invalid.WEAK, key, depth)
        digest = _digest(certificate)
        if depth < len(chain) - 1 and digest is not None and isinstance(digest, FORGEABLE):
            yield Flaw(Invalid.WEAK, f"signed with {digest.name.upper()}", depth)


def _weak_key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "a key of an unknown kind"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS:
        return f"an RSA key of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < CURVE_BITS:
        return f"a key on the curve {key.curve.name}"
    return "a DSA key" if isinstance(key, dsa.DSAPublicKey) else ""


def _digest(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None

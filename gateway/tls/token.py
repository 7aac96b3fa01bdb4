"""
A key that stays in a PKCS#11 token, such as a smart card or an HSM, and signs there.

It needs the package I{python-pkcs11}: C{pip install tproxygw[pkcs11]}.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from gateway.tls.uri import RootError, attributes

STAYS = "the key stays in its token"


def open_key(uri: str) -> Any:
    """
    The key at an address such as
    C{pkcs11:token=gateway;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=FILE}.

    @raise RootError: it can't be used.
    """
    try:
        import pkcs11
        from pkcs11.util import ec as pkcs11_ec
        from pkcs11.util import rsa as pkcs11_rsa
    except ImportError:
        raise RootError("a key in a token needs: pip install tproxygw[pkcs11]") from None
    said = attributes(uri)
    where = uri.partition("?")[0]  # there may be a PIN behind it
    try:
        library = pkcs11.lib(said["module-path"])
        session = library.get_token(token_label=said["token"]).open(user_pin=_pin(said))
        private: Any = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=said["object"])
        public: Any = session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, label=said["object"])
    except KeyError as error:
        raise RootError(f"{where}: {error.args[0]}= is missing") from None
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise RootError(f"{where}: {type(error).__name__} {error}".rstrip()) from None
    if private.key_type is pkcs11.KeyType.EC:
        encoded = pkcs11_ec.encode_ec_public_key(public)
        return EcTokenKey(private, load_der_public_key(encoded))
    if private.key_type is pkcs11.KeyType.RSA:
        encoded = pkcs11_rsa.encode_rsa_public_key(public)
        return RsaTokenKey(private, _rsa_public(encoded))
    raise RootError(f"{where}: the key must be an EC or an RSA key")


def _pin(said: Any) -> str | None:
    if "pin-source" in said:
        source = said["pin-source"].removeprefix("file:")
        return Path(source).read_text().strip()
    pin: str | None = said.get("pin-value")
    return pin


def _rsa_public(encoded: bytes) -> Any:
    """From PKCS#1's form, which I{cryptography} reads as PEM only."""
    lines = base64.encodebytes(encoded)
    return load_pem_public_key(
        b"-----BEGIN RSA PUBLIC KEY-----\n" + lines + b"-----END RSA PUBLIC KEY-----\n"
    )


class _TokenKey:
    """What both kinds have in common."""

    def __init__(self, private: Any, public: Any) -> None:
        self._private = private
        self._public = public

    def public_key(self) -> Any:
        """Its public half."""
        return self._public

    @property
    def key_size(self) -> int:
        """In bits."""
        return int(self._public.key_size)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(STAYS)

    private_bytes = private_numbers = exchange = decrypt = __copy__ = __deepcopy__ = _refuse

    def _hashed(self, data: bytes, algorithm: Any) -> bytes:
        digest = hashes.Hash(algorithm)
        digest.update(data)
        return digest.finalize()


class EcTokenKey(_TokenKey, ec.EllipticCurvePrivateKey):
    """An EC key in a token, for I{cryptography} to sign with."""

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve that it is on."""
        found: ec.EllipticCurve = self._public.curve
        return found

    def sign(self, data: Any, signature_algorithm: Any) -> bytes:
        """Sign in the token."""
        import pkcs11

        digest = self._hashed(data, signature_algorithm.algorithm)
        raw = self._private.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
        half = len(raw) // 2
        return encode_dss_signature(
            int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        )


class RsaTokenKey(_TokenKey, rsa.RSAPrivateKey):
    """An RSA key in a token, for I{cryptography} to sign with (PKCS#1 1.5, SHA-256)."""

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        """Sign in the token."""
        import pkcs11

        return bytes(self._private.sign(data, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))

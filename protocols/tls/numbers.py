"""Numbers of the TLS registries that the gateway has to know, by their RFC names."""

from __future__ import annotations

from enum import IntEnum


class ContentType(IntEnum):
    """What a record holds (RFC 8446, section 5.1)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class HandshakeType(IntEnum):
    """What a handshake message is (RFC 8446, section 4)."""

    CLIENT_HELLO = 1


class Version(IntEnum):
    """A version of the protocol, as its numbers are on the wire."""

    SSL_3_0 = 0x0300
    TLS_1_0 = 0x0301
    TLS_1_1 = 0x0302
    TLS_1_2 = 0x0303
    TLS_1_3 = 0x0304


class ExtensionType(IntEnum):
    """What an extension is (IANA, "TLS ExtensionType Values")."""

    SERVER_NAME = 0
    SUPPORTED_GROUPS = 10
    SIGNATURE_ALGORITHMS = 13
    APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16
    PRE_SHARED_KEY = 41
    EARLY_DATA = 42
    SUPPORTED_VERSIONS = 43
    KEY_SHARE = 51
    ENCRYPTED_CLIENT_HELLO = 0xFE0D


class Alert(IntEnum):
    """Why a connection is given up (RFC 8446, section 6)."""

    HANDSHAKE_FAILURE = 40
    ILLEGAL_PARAMETER = 47
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    PROTOCOL_VERSION = 70
    UNEXPECTED_MESSAGE = 10
    INTERNAL_ERROR = 80
    MISSING_EXTENSION = 109
    UNRECOGNIZED_NAME = 112
    NO_APPLICATION_PROTOCOL = 120


HYBRID = frozenset((0x11EB, 0x11EC, 0x11ED, 0x11EE, 0x0200, 0x0201, 0x0202))
"""
Groups with ML-KEM, alone or beside a curve: SecP256r1MLKEM768, X25519MLKEM768,
SecP384r1MLKEM1024, curveSM2MLKEM768, MLKEM512, MLKEM768, MLKEM1024 (IANA, "TLS Supported Groups").
"""

GREASE = frozenset(0x0A0A + 0x1010 * number for number in range(16))
"""16-bit numbers that mean nothing, on purpose (RFC 8701, section 2)."""

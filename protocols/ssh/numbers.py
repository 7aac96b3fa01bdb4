"""Numbers of SSH (RFC 4250), by their RFC names."""

from __future__ import annotations

from enum import IntEnum


class Message(IntEnum):
    """What a packet is (section 4.1.2), before keys are in use."""

    DISCONNECT = 1
    IGNORE = 2
    UNIMPLEMENTED = 3
    DEBUG = 4
    KEXINIT = 20
    NEWKEYS = 21
    KEX_REPLY = 31
    KEX_DH_GEX_REPLY = 33


FIRST_OF_KEX = 30
LAST_OF_KEX = 49
"""Messages of the key exchange method that was agreed on."""


class Reason(IntEnum):
    """Why a side disconnects (section 4.2.2)."""

    HOST_NOT_ALLOWED_TO_CONNECT = 1
    PROTOCOL_ERROR = 2
    KEY_EXCHANGE_FAILED = 3
    PROTOCOL_VERSION_NOT_SUPPORTED = 8
    HOST_KEY_NOT_VERIFIABLE = 9

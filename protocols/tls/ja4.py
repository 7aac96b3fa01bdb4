"""
JA4: which program has probably written a ClientHello.

A fingerprint in three parts, after John Althouse's JA4 (FoxIO, 2023): what it
offers in brief, then hashes of the cipher suites and of the extensions, both
sorted, since browsers shuffle them. Numbers that mean nothing (RFC 8701) are
left out wherever they stand: browsers send them among signature algorithms too,
and with them each connection would have another fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from protocols.tls.hello import ClientHello
from protocols.tls.numbers import GREASE, ExtensionType, Version

_VERSIONS: dict[int, str] = {
    Version.TLS_1_3: "13",
    Version.TLS_1_2: "12",
    Version.TLS_1_1: "11",
    Version.TLS_1_0: "10",
    Version.SSL_3_0: "s3",
}

_OF_NO_PROGRAM = {
    ExtensionType.SERVER_NAME,
    ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
}
"""Extensions that say more of the connection than of the program."""


REMEMBERED = 1024
"""Fingerprints that are not computed again: there are fewer programs than connections."""

_remembered = lru_cache(maxsize=256)

_SERVER_NAME = int(ExtensionType.SERVER_NAME)


def ja4(hello: ClientHello, transport: str = "t") -> str:
    """
    The fingerprint of a ClientHello.

    @param transport: C{"t"} for TCP, C{"q"} for QUIC.
    """
    named = _SERVER_NAME in hello.extensions
    return _fingerprint(
        f"{transport}{_version(hello.versions)}{'d' if named else 'i'}",
        _sorted(hello.cipher_suites),
        _sorted(hello.extensions),
        _meaningful(hello.signature_algorithms),
        _protocol(hello),
    )


@lru_cache(maxsize=REMEMBERED)
def _fingerprint(
    begin: str,
    suites: tuple[int, ...],
    extensions: tuple[int, ...],
    signature_algorithms: tuple[int, ...],
    protocol: str,
) -> str:
    """Of what is sorted already."""
    hashed = _hexadecimal(number for number in extensions if number not in _OF_NO_PROGRAM)
    algorithms = _hexadecimal(signature_algorithms)
    brief = f"{begin}{min(len(suites), 99):02}{min(len(extensions), 99):02}{protocol}"
    both = f"{hashed}_{algorithms}" if algorithms else hashed
    return f"{brief}_{_hash(_hexadecimal(suites))}_{_hash(both)}"


@_remembered
def _version(offered: tuple[int, ...]) -> str:
    """The highest version that is offered."""
    return _VERSIONS[max(known)] if (known := [v for v in offered if v in _VERSIONS]) else "00"


def _protocol(hello: ClientHello) -> str:
    """The first and the last character of the first protocol; in hexadecimal if they are none."""
    if not hello.alpn:
        return "00"
    name = hello.alpn[0]
    text = name.decode("latin-1")
    ends = text[0] + text[-1]
    if ends.isascii() and ends.isalnum():
        return ends
    return name.hex()[0] + name.hex()[-1]


@_remembered
def _meaningful(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(number for number in numbers if number not in GREASE)


@_remembered
def _sorted(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(number for number in numbers if number not in GREASE))


def _hexadecimal(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _hash(text: str) -> str:
    """The first twelve digits; zeroes of nothing."""
    return sha256(text.encode()).hexdigest()[:12] if text else "0" * 12

"""ClientHellos of the tests' own making, and those of OpenSSL."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from OpenSSL import SSL

from protocols.tls.numbers import ExtensionType

CHROMIUM_SUITES = (
    *(0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8),
    *(0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
)
CHROMIUM_ALGORITHMS = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)


def length(content: bytes, size: int = 2) -> bytes:
    """A vector of the presentation language."""
    return len(content).to_bytes(size, "big") + content


def numbers(*values: int) -> bytes:
    """16-bit numbers, one after the other."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def extension(number: int, content: bytes = b"") -> bytes:
    return numbers(number) + length(content)


def server_name(name: bytes, kind: int = 0) -> bytes:
    entry = bytes((kind,)) + length(name)
    return extension(ExtensionType.SERVER_NAME, length(entry))


def alpn(*names: bytes) -> bytes:
    listed = length(b"".join(length(name, 1) for name in names))
    return extension(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, listed)


def versions(*values: int) -> bytes:
    return extension(ExtensionType.SUPPORTED_VERSIONS, length(numbers(*values), 1))


def groups(*values: int) -> bytes:
    return extension(ExtensionType.SUPPORTED_GROUPS, length(numbers(*values)))


def algorithms(*values: int) -> bytes:
    return extension(ExtensionType.SIGNATURE_ALGORITHMS, length(numbers(*values)))


def key_shares(*values: int) -> bytes:
    shares = b"".join(numbers(value) + length(b"k" * 32) for value in values)
    return extension(ExtensionType.KEY_SHARE, length(shares))


def pre_shared_key(binders: int = 1) -> bytes:
    identity = length(b"ticket") + b"age!"
    return extension(
        ExtensionType.PRE_SHARED_KEY, length(identity) + length(length(b"b" * 32, 1) * binders)
    )


COMMON = (
    server_name(b"www.example.org"),
    alpn(b"h2", b"http/1.1"),
    versions(0x0304, 0x0303),
    groups(0x11EC, 29, 23),
    algorithms(0x0403, 0x0804),
    key_shares(29),
)
"""The extensions that nearly every client sends."""


def body(
    extensions: Iterable[bytes] | None = COMMON,
    suites: Iterable[int] = (0x1301, 0xC02B),
    version: int = 0x0303,
    compression: bytes = b"\0",
    session_id: bytes = b"s" * 32,
) -> bytes:
    """
    A ClientHello without its handshake header.

    @param extensions: L{None}: not even an empty list.
    """
    start = numbers(version) + b"r" * 32 + length(session_id, 1)
    start += length(numbers(*suites)) + length(compression, 1)
    return start if extensions is None else start + length(b"".join(extensions))


def message(content: bytes, kind: int = 1) -> bytes:
    """A handshake message."""
    return bytes((kind,)) + length(content, 3)


def records(content: bytes, *ends: int, version: int = 0x0301) -> bytes:
    """C{content} in records that are cut at C{ends}."""
    cuts = [0, *ends, len(content)]
    pieces = (content[begin:end] for begin, end in pairwise(cuts))
    return b"".join(b"\x16" + numbers(version) + length(piece) for piece in pieces)


def of_openssl(name: bytes = b"www.example.org", protocols: tuple[bytes, ...] = ()) -> bytes:
    """What OpenSSL sends first."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if protocols:
        context.set_alpn_protos(list(protocols))
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    connection.set_tlsext_host_name(name)
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        pass
    return connection.bio_read(65536)

"""
ClientHello: what a client says before anything is encrypted (RFC 8446, section 4.1.2).

It is read strictly, for what two readers understand differently is how a name is
hidden from one of them: no extension twice, nothing behind the last one, one
name that is a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from struct import Struct
from typing import Any, NamedTuple

from protocols.tls.numbers import Alert, ExtensionType, Version
from protocols.tls.refusal import Refusal
from protocols.tls.vector import Vector

_HOST_NAME = 0
"""The only kind of name that there is (RFC 6066, section 3)."""

_ECH_OUTER = 0

_EXTENSION_HEADER = Struct(">HH")
"""Its number, and how long it is."""

_HEADER_SIZE = _EXTENSION_HEADER.size
_read_header = _EXTENSION_HEADER.unpack_from

_LAST = int(ExtensionType.PRE_SHARED_KEY)

# RFC 1123, section 2.1, and the underscore of names in private networks. No dot at the end: RFC
# 6066, section 3.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")

REMEMBERED = 256
"""
Contents of each kind of extension that are not read again: what a program offers is the same in
each of its hellos, and most names are asked for often. A hello has 16 KiB at most.
"""


class ClientHello(NamedTuple):
    """
    What a client offers, and whom it wants.

    Numbers are in the client's order, with those that mean nothing (RFC 8701) among them.

    @ivar legacy_version: what clients before TLS 1.3 said in this place.
    @ivar server_name: in lower case; empty if there is none, or if it is an address.
    @ivar address: the address that stands where a name should, which some
        clients do and RFC 6066 forbids; else empty.
    @ivar alpn: the names of protocols that it would speak.
    @ivar versions: of TLS; only C{legacy_version} where it has no list of them.
    @ivar groups: for the key exchange.
    @ivar key_shares: the groups for which it sent a key.
    @ivar extensions: their numbers.
    @ivar encrypted: it has an encrypted ClientHello, or what looks like one: browsers send it
        to everybody, so that it says nothing (RFC 8701's reason).
    @ivar early_data: it begins to talk before it is answered.
    @ivar resumes: it wants to go on with an earlier session.
    """

    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]
    server_name: str = ""
    address: str = ""
    alpn: tuple[bytes, ...] = ()
    versions: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    signature_algorithms: tuple[int, ...] = ()
    key_shares: tuple[int, ...] = ()
    encrypted: bool = False
    early_data: bool = False
    resumes: bool = False

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        """
        Read a ClientHello without its handshake header.

        @raise Refusal: it is none, or means more than one thing.
        """
        hello = Vector(body, "the ClientHello")
        legacy_version = hello.number(2)
        if legacy_version >> 8 != 3:
            raise Refusal(f"TLS version {legacy_version:#06x}", Alert.PROTOCOL_VERSION)
        random = hello.take(32)
        session_id = hello.opaque(1, most=32)
        cipher_suites = hello.numbers(2, "the list of cipher suites")
        _check_compression(hello.opaque(1, least=1))
        extensions = _extensions(hello)
        hello.end()
        return cls(
            legacy_version,
            random,
            session_id,
            cipher_suites,
            tuple(extensions),
            **_said(extensions, legacy_version),
        )


def _check_compression(methods: bytes) -> None:
    """@raise Refusal: the client does not offer to leave compression out."""
    if 0 not in methods:
        raise Refusal("a ClientHello that insists on compression", Alert.ILLEGAL_PARAMETER)


def _extensions(hello: Vector) -> dict[int, bytes]:
    """
    The extensions and what is in them, in their order. Clients before TLS 1.3 may
    leave the whole list out (RFC 5246, section 7.4.1.2).

    @raise Refusal: one is there twice, or C{pre_shared_key} is not the last
        (RFC 8446, sections 4.2 and 4.2.11).
    """
    found: dict[int, bytes] = {}
    content = hello.opaque(2) if hello.more else b""
    at, end = 0, len(content)
    number = -1
    while at < end:
        if number == _LAST:
            raise Refusal("an extension behind pre_shared_key", Alert.ILLEGAL_PARAMETER)
        begin = at + _HEADER_SIZE
        if begin > end:
            raise Refusal("the list of extensions ends too early")
        number, length = _read_header(content, at)
        at = begin + length
        if at > end:
            raise Refusal("the list of extensions ends too early")
        if number in found:
            raise Refusal(f"extension {number} twice", Alert.ILLEGAL_PARAMETER)
        found[number] = content[begin:at]
    return found


def _said(extensions: dict[int, bytes], legacy_version: int) -> dict[str, Any]:
    """The fields of a L{ClientHello} that are from its extensions."""
    said: dict[str, Any] = {"versions": (min(legacy_version, Version.TLS_1_2),)}
    for number, content in extensions.items():
        read = _READ.get(number)
        if read is not None:
            said |= read(content)
    return said


def _server_name(content: bytes) -> dict[str, Any]:
    """RFC 6066, section 3: one name, for there is only one kind of names."""
    extension = Vector(content, "server_name")
    names = extension.vector(2, "the list of server names", least=1)
    extension.end()
    if names.number(1) != _HOST_NAME:
        raise Refusal("a server name of an unknown kind", Alert.ILLEGAL_PARAMETER)
    name = names.opaque(2, least=1).decode("latin-1").lower()
    if names.more:
        raise Refusal("more than one server name", Alert.ILLEGAL_PARAMETER)
    if _is_address(name):
        return {"address": name}
    if not _NAME.fullmatch(name):
        raise Refusal(f"server name {name!r}", Alert.ILLEGAL_PARAMETER)
    return {"server_name": name}


def _is_address(name: str) -> bool:
    """Whether C{name} is an IP address as a literal."""
    if ":" not in name and not name[-1].isdigit():
        return False
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _alpn(content: bytes) -> dict[str, Any]:
    """RFC 7301, section 3.1."""
    extension = Vector(content, "application_layer_protocol_negotiation")
    names = extension.vector(2, "the list of protocol names", least=2)
    extension.end()
    found = []
    while names.more:
        found.append(names.opaque(1, least=1))
    return {"alpn": tuple(found)}


def _numbers(field: str, size: int) -> Callable[[bytes], dict[str, Any]]:
    """A reader of an extension that is one list of numbers, with a length of C{size} bytes."""

    def read(content: bytes) -> dict[str, Any]:
        extension = Vector(content, field)
        found = extension.numbers(size, field)
        extension.end()
        return {field: found}

    return read


def _key_share(content: bytes) -> dict[str, Any]:
    """RFC 8446, section 4.2.8. A list may be empty: to be asked for the group that is wanted."""
    extension = Vector(content, "key_share")
    shares = extension.vector(2, "the list of key shares")
    extension.end()
    groups = []
    while shares.more:
        groups.append(shares.number(2))
        shares.opaque(2, least=1)
    if len(set(groups)) < len(groups):
        raise Refusal("two key shares for one group", Alert.ILLEGAL_PARAMETER)
    return {"key_shares": tuple(groups)}


def _encrypted(content: bytes) -> dict[str, Any]:
    """RFC 9849, section 5: the inner form is for inside of the encryption only."""
    if not content or content[0] != _ECH_OUTER:
        raise Refusal("an inner ClientHello that is not encrypted", Alert.ILLEGAL_PARAMETER)
    return {"encrypted": True}


def _early_data(content: bytes) -> dict[str, Any]:
    """RFC 8446, section 4.2.10: nothing is in it."""
    Vector(content, "early_data").end()
    return {"early_data": True}


def _pre_shared_key(content: bytes) -> dict[str, Any]:
    """RFC 8446, section 4.2.11: what it is about is between client and server."""
    extension = Vector(content, "pre_shared_key")
    identities = extension.vector(2, "the list of identities", least=7)
    binders = extension.vector(2, "the list of binders", least=33)
    extension.end()
    while identities.more:
        identities.opaque(2, least=1)
        identities.take(4)
        binders.opaque(1, least=32)
    binders.end()
    return {"resumes": True}


_remembered = lru_cache(maxsize=REMEMBERED)

_READ: dict[int, Callable[[bytes], dict[str, Any]]] = {
    ExtensionType.SERVER_NAME: _remembered(_server_name),
    ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: _remembered(_alpn),
    ExtensionType.SUPPORTED_VERSIONS: _remembered(_numbers("versions", 1)),
    ExtensionType.SUPPORTED_GROUPS: _remembered(_numbers("groups", 2)),
    ExtensionType.SIGNATURE_ALGORITHMS: _remembered(_numbers("signature_algorithms", 2)),
    ExtensionType.KEY_SHARE: _key_share,
    ExtensionType.ENCRYPTED_CLIENT_HELLO: _encrypted,
    ExtensionType.EARLY_DATA: _early_data,
    ExtensionType.PRE_SHARED_KEY: _pre_shared_key,
}

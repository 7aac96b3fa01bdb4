"""Proposal: the algorithms that a side offers (RFC 4253, section 7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5

from attrs import frozen

from gateway.interfaces import Denied
from protocols.ssh.packet import Fields

_COOKIE = 16
_RESERVED = b"\0\0\0\0"

_AEAD = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""Ciphers that need no MAC (OpenSSH's PROTOCOL, RFC 5647)."""

# Signals in the place of an algorithm: RFC 8308, section 2.1, and OpenSSH's PROTOCOL, 1.10.
_SIGNALS = frozenset(
    (
        *("ext-info-c", "ext-info-s"),
        *("kex-strict-c-v00@openssh.com", "kex-strict-s-v00@openssh.com"),
    )
)


@frozen
class Proposal:
    """
    One side's offer, the best first.

    @ivar guessed: what follows is the first packet of a key exchange that it hopes for.
    """

    kex: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers: tuple[tuple[str, ...], tuple[str, ...]]
    """From the client to the server, and back."""
    macs: tuple[tuple[str, ...], tuple[str, ...]]
    compression: tuple[tuple[str, ...], tuple[str, ...]]
    guessed: bool

    @classmethod
    def parse(cls, payload: bytes) -> Proposal:
        """
        Read a KEXINIT.

        @raise Denied: it is none.
        """
        fields = Fields(payload, "a KEXINIT")
        fields.take(1 + _COOKIE)
        lists = [fields.names() for _ in range(10)]
        guessed = fields.take(1) != b"\0"
        if fields.take(len(_RESERVED)) != _RESERVED:
            raise Denied("a KEXINIT with reserved bits")
        fields.end()
        if not lists[0] or not lists[1]:
            raise Denied("a KEXINIT without algorithms")
        kex, host_keys, *pairs = lists
        return cls(
            tuple(name for name in kex if name not in _SIGNALS),
            host_keys,
            (pairs[0], pairs[1]),
            (pairs[2], pairs[3]),
            (pairs[4], pairs[5]),
            guessed,
        )

    def hassh(self, from_client: bool, kex: tuple[str, ...]) -> str:
        """
        What HASSH makes a fingerprint of: which program it probably is.

        @param kex: the list as it was sent, signals and all.
        """
        way = 0 if from_client else 1
        lists = (kex, self.ciphers[way], self.macs[way], self.compression[way])
        return ";".join(",".join(names) for names in lists)


def hassh(text: str) -> str:
    """The fingerprint (Salesforce's HASSH: MD5, which protects nothing here)."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def sent_kex(payload: bytes) -> tuple[str, ...]:
    """The list of key exchange methods as it was sent."""
    fields = Fields(payload, "a KEXINIT")
    fields.take(1 + _COOKIE)
    return fields.names()


@frozen
class Agreement:
    """What two sides agree on. Empty where they don't: the connection will fail."""

    kex: str
    host_key: str
    ciphers: tuple[str, str]
    macs: tuple[str, str]
    compression: tuple[str, str]

    @classmethod
    def between(cls, client: Proposal, server: Proposal) -> Agreement:
        """The first of the client's that the server has, too."""
        ciphers = tuple(map(_first, client.ciphers, server.ciphers))
        macs = tuple(map(_first, client.macs, server.macs))
        return cls(
            _first(client.kex, server.kex),
            _first(client.host_keys, server.host_keys),
            (ciphers[0], ciphers[1]),
            ("" if ciphers[0] in _AEAD else macs[0], "" if ciphers[1] in _AEAD else macs[1]),
            (
                _first(client.compression[0], server.compression[0]),
                _first(client.compression[1], server.compression[1]),
            ),
        )

    def named(self) -> Iterator[tuple[str, str]]:
        """Every algorithm, with the setting that is about it."""
        yield "kex", self.kex
        yield "host_keys", self.host_key
        for setting in ("ciphers", "macs", "compression"):
            for name in getattr(self, setting):
                yield setting, name


def _first(wanted: tuple[str, ...], offered: tuple[str, ...]) -> str:
    return next((name for name in wanted if name in offered), "")

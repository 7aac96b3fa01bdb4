"""
What a rule of nftables says, as the kernel has it: expressions with registers.

Each function gives those that C{nft} makes of a few words, as an attribute of a message. See
C{nft --debug=netlink}, and enum nft_*_attributes in linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import struct

from gateway.kernel.netlink import attribute, text, word
from gateway.policy.divert import Mark

ACCEPT, DROP = 1, 0
NETWORK, TRANSPORT = 1, 2
"""Headers, from which offsets are counted."""

MARK, NFTRACE, NFPROTO, L4PROTO = 3, 12, 15, 16
"""Keys of what the kernel knows of a packet."""

_VERDICT, _REGISTER = 0, 1
_ELEMENT, _NAME, _DATA = 1, 1, 2
_VALUE, _CODE = 1, 1
_EQUAL, _ADD = 0, 0


def known_is(key: int, value: bytes) -> bytes:
    """C{meta KEY VALUE}"""
    return _known(key) + _is(value)


def marked(mark: Mark) -> bytes:
    """C{meta mark & MASK == VALUE}"""
    register = word(_REGISTER)
    masked = _expression(
        "bitwise",
        attribute(1, register),
        attribute(2, register),
        attribute(3, word(4)),
        attribute(4, attribute(_VALUE, struct.pack("=I", mark.mask))),
        attribute(5, attribute(_VALUE, bytes(4))),
    )
    return _known(MARK) + masked + _is(struct.pack("=I", mark.value))


def carried_is(base: int, offset: int, value: bytes) -> bytes:
    """C{@BASE,OFFSET,LENGTH VALUE}, in bytes."""
    return _carried(base, offset, len(value)) + _is(value)


def add_source_port(name: str) -> bytes:
    """C{add @NAME { th sport }}"""
    added = _expression(
        "dynset",
        attribute(1, text(name)),
        attribute(3, word(_ADD)),
        attribute(4, word(_REGISTER)),
    )
    return _carried(TRANSPORT, 0, 2) + added


def trace() -> bytes:
    """C{meta nftrace set 1}"""
    one = _expression(
        "immediate", attribute(1, word(_REGISTER)), attribute(2, attribute(_VALUE, b"\1"))
    )
    put = _expression("meta", attribute(2, word(NFTRACE)), attribute(3, word(_REGISTER)))
    return one + put


def verdict(code: int) -> bytes:
    """C{accept} or C{drop}"""
    decided = attribute(2, attribute(_CODE, word(code)))
    return _expression("immediate", attribute(1, word(_VERDICT)), attribute(2, decided))


def _known(key: int) -> bytes:
    return _expression("meta", attribute(1, word(_REGISTER)), attribute(2, word(key)))


def _carried(base: int, offset: int, length: int) -> bytes:
    numbers = (_REGISTER, base, offset, length)
    return _expression(
        "payload", *(attribute(kind, word(number)) for kind, number in enumerate(numbers, 1))
    )


def _is(value: bytes) -> bytes:
    return _expression(
        "cmp",
        attribute(1, word(_REGISTER)),
        attribute(2, word(_EQUAL)),
        attribute(3, attribute(_VALUE, value)),
    )


def _expression(name: str, *data: bytes) -> bytes:
    return attribute(_ELEMENT, attribute(_NAME, text(name)) + attribute(_DATA, b"".join(data)))

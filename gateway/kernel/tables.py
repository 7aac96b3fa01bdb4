"""The tables of nftables: what the kernel says of them, asked without a program in between."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from gateway.kernel.netlink import (
    NFT_MSG_DELTABLE,
    NFT_MSG_GETCHAIN,
    NFT_MSG_GETRULE,
    NFT_MSG_GETSET,
    NFT_MSG_GETTABLE,
    Message,
    Netfilter,
    attribute,
    attributes,
    steadily,
    text,
)

TABLE = 1
"""NFTA_TABLE_NAME, and the attribute of all other objects that names their table."""

SET_NAME = 2

_TABLE_OWNER = 7
_CHAIN_HANDLE, _CHAIN_NAME = 2, 3
_RULE_CHAIN, _RULE_HANDLE = 2, 3
_SET_HANDLE = 16


def table(kind: int, name: str, more: bytes = b"") -> Message:
    """A message about the table C{name} of family inet, or about what is in it."""
    return Message(kind, attribute(TABLE, text(name)) + more)


def names(kernel: Netfilter) -> list[str]:
    """The names of all tables of family inet."""
    return [one[TABLE][:-1].decode() for one in _tables(kernel)]


def is_mine(kernel: Netfilter, name: str) -> bool:
    """Whether the table C{name} belongs to this very socket, so that nobody else can change it."""
    owners = [one.get(_TABLE_OWNER) for one in _tables(kernel) if one[TABLE] == text(name)]
    return owners == [kernel.port.to_bytes(4, "big")]


def _tables(kernel: Netfilter) -> list[dict[int, bytes]]:
    found = steadily(lambda: kernel.dump(Message(NFT_MSG_GETTABLE)))
    return [dict(attributes(one)) for one in found]


def chains(kernel: Netfilter, name: str) -> list[bytes]:
    """The chains of one table: older kernels tell those of all tables."""
    found = kernel.dump(table(NFT_MSG_GETCHAIN, name))
    return [chain for chain in found if dict(attributes(chain))[TABLE] == text(name)]


def remove(kernel: Netfilter, name: str) -> None:
    """
    Remove the table C{name}; harmless if there is none.

    @raise OSError: it belongs to another process, or privileges are missing.
    """

    def removing() -> None:
        generation = kernel.generation()
        if name in names(kernel):
            kernel.commit([table(NFT_MSG_DELTABLE, name)], generation)

    steadily(removing)


def imprint(kernel: Netfilter, name: str) -> str:
    """
    A digest of the table that is another whenever somebody removed, added or replaced a chain,
    a rule or a set of it. Empty: there is no rule in it, or no such table.
    """
    return steadily(lambda: _imprint(kernel, name) if name in names(kernel) else "")


def _imprint(kernel: Netfilter, name: str) -> str:
    rules = kernel.dump(table(NFT_MSG_GETRULE, name))
    digest = sha256()
    for what in (
        *_handles(chains(kernel, name), _CHAIN_NAME, _CHAIN_HANDLE),
        *_handles(rules, _RULE_CHAIN, _RULE_HANDLE),
        *_handles(kernel.dump(table(NFT_MSG_GETSET, name)), SET_NAME, _SET_HANDLE),
    ):
        digest.update(what)
    return digest.hexdigest() if rules else ""


def _handles(found: list[bytes], name: int, handle: int) -> Iterator[bytes]:
    """The names and handles of objects. A handle is given once, so what it is of is the same."""
    for one in found:
        of = dict(attributes(one))
        yield b"%b %b;" % (of[name], of[handle])

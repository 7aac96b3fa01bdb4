"""
The stages of a packet's way, and how it is seen which of them a probe's packet has reached.

A table of its own, for the time of the probe, has chains at the beginning and the end of what other
programs' chains can lie between. They look at nothing but the probe's packets, by
their one hop and by a number that nobody can guess; and at its last stage each is dropped.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from attrs import frozen

from gateway.kernel import tables
from gateway.kernel.errors import KernelError
from gateway.kernel.filter.nftables import PREFIX
from gateway.kernel.netlink import (
    NFT_MSG_GETSETELEM,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWTABLE,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Message,
    Netfilter,
    attribute,
    attributes,
    steadily,
    text,
    word,
)
from gateway.kernel.probe.expressions import (
    ACCEPT,
    DROP,
    L4PROTO,
    NETWORK,
    NFPROTO,
    TRANSPORT,
    add_source_port,
    carried_is,
    known_is,
    marked,
    trace,
    verdict,
)
from gateway.kernel.probe.packets import HOPS
from gateway.policy.divert import Mark

NAME = f"{PREFIX}probe_"
"""How the names of such tables start. The process follows."""


@frozen
class _Chain:
    """One of the table's chains."""

    name: str
    hook: int
    priority: int

    @property
    def encoded(self) -> bytes:
        """What makes it: it lets pass what its rules don't decide about."""
        hook = attribute(1, word(self.hook)) + attribute(2, struct.pack(">i", self.priority))
        return b"".join(
            (
                attribute(3, text(self.name)),
                attribute(4, hook),
                attribute(5, word(ACCEPT)),
                attribute(7, text("filter")),
            )
        )


_PREROUTING, _INPUT = 0, 1
_FOREMOST, _HINDMOST = -(1 << 31) + 1, (1 << 31) - 2
"""Priorities, one off the ends: connection tracking has its last step at the very end."""

_FIRST = _Chain("first", _PREROUTING, _FOREMOST)
_LAST = _Chain("last", _PREROUTING, _HINDMOST)
_END = _Chain("end", _INPUT, _HINDMOST)
_CHAINS = (_FIRST, _LAST, _END)

_PORT, _DYNAMIC, _MOST = 13, 0x20, 1024
"""A set's type (inet_service), its flags, and how many it may hold."""

_LIST_SET = 2
_LIST_ELEMENTS, _ELEMENT_KEY, _DATA_VALUE = 3, 1, 1


class Stage(Enum):
    """How far a packet got. The value is the name of a set."""

    RECEIVED = "received"
    """The packet filter sees it."""

    DIVERTED = "diverted"
    """It is through C{prerouting}, with the divert mark."""

    PASSED_BY = "passed_by"
    """It is through C{prerouting} without the mark: it would have been forwarded, uninspected."""

    ARRIVED = "arrived"
    """It is through C{input}: the listener would have got it."""

    __hash__ = object.__hash__


class Stages:
    """
    Which stages the packets of one probe have reached.

    @param name: the table's.
    """

    def __init__(self, kernel: Netfilter, name: str) -> None:
        self._kernel = kernel
        self.table = name

    def reached(self, port: int) -> set[Stage]:
        """The stages that the packet from C{port} has been at."""
        return {stage for stage in Stage if port in self._ports(stage)}

    def _ports(self, stage: Stage) -> set[int]:
        asked = tables.table(
            NFT_MSG_GETSETELEM, self.table, attribute(_LIST_SET, text(stage.value))
        )
        return {
            int.from_bytes(dict(attributes(dict(attributes(one))[_ELEMENT_KEY]))[_DATA_VALUE])
            for answer in steadily(lambda: self._kernel.dump(asked))
            for _, one in attributes(dict(attributes(answer)).get(_LIST_ELEMENTS, b""))
        }


@contextmanager
def watched(mark: Mark, token: int) -> Iterator[Stages]:
    """
    Watch for packets with C{token} as long as the C{with} statement runs.

    @param mark: the divert mark.
    @raise KernelError: it can't be done: privileges are missing, or the kernel has no nf_tables.
    """
    kernel = Netfilter()
    name = f"{NAME}{os.getpid()}"
    try:
        try:
            left = _left_over(kernel)
            tables.remove(kernel, name)
            told = list(messages(name, mark, token))
            steadily(lambda: kernel.commit(told, kernel.generation()))
        except OSError as error:
            raise KernelError(
                f"the kernel's packet filter (nf_tables) refused to watch a probe: {error}"
            ) from error
        try:
            yield Stages(kernel, name)
        finally:
            for one in {name, *left}:
                tables.remove(kernel, one)
    finally:
        kernel.close()


def _left_over(kernel: Netfilter) -> list[str]:
    """The tables of processes that were killed meanwhile."""
    found = (re.fullmatch(rf"{NAME}(\d+)", name) for name in tables.names(kernel))
    return [match[0] for match in found if match and not Path(f"/proc/{match[1]}").exists()]


def messages(name: str, mark: Mark, token: int) -> Iterator[Message]:
    """What the kernel is told: a table with a set for each stage, and three chains."""
    created = NLM_F_CREATE
    yield tables.table(NFT_MSG_NEWTABLE, name)._replace(flags=created)
    for number, stage in enumerate(Stage, 1):
        yield tables.table(NFT_MSG_NEWSET, name, _set(stage, number))._replace(flags=created)
    for chain in _CHAINS:
        yield tables.table(NFT_MSG_NEWCHAIN, name, chain.encoded)._replace(flags=created)
    add, accept, drop = add_source_port, verdict(ACCEPT), verdict(DROP)
    for chain, action in (
        (_FIRST, add(Stage.RECEIVED.value) + trace()),
        (_LAST, marked(mark) + add(Stage.DIVERTED.value) + accept),
        (_LAST, add(Stage.PASSED_BY.value) + drop),
        (_END, add(Stage.ARRIVED.value) + drop),
    ):
        for kind in _kinds(token):
            rule = attribute(2, text(chain.name)) + attribute(4, kind + action)
            made = tables.table(NFT_MSG_NEWRULE, name, rule)
            yield made._replace(flags=created | NLM_F_APPEND)


def _kinds(token: int) -> Iterator[bytes]:
    """What tells the probe's packets from others: their one hop, and the number they carry."""
    for family, at in ((socket.AF_INET, 8), (socket.AF_INET6, 7)):
        for protocol, offset in ((socket.IPPROTO_TCP, 4), (socket.IPPROTO_UDP, 8)):
            yield (
                known_is(NFPROTO, bytes((family,)))
                + carried_is(NETWORK, at, bytes((HOPS,)))
                + known_is(L4PROTO, bytes((protocol,)))
                + carried_is(TRANSPORT, offset, struct.pack("!I", token))
            )


def _set(stage: Stage, number: int) -> bytes:
    """Ports, which rules put into it."""
    return b"".join(
        (
            attribute(2, text(stage.value)),
            attribute(3, word(_DYNAMIC)),
            attribute(4, word(_PORT)),
            attribute(5, word(2)),
            attribute(9, attribute(1, word(_MOST))),
            attribute(10, word(number)),
        )
    )

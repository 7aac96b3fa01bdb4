"""
The stages of a packet's way, and how it is seen which of them a probe's packet has reached.

A table of its own, for the time of the probe, has chains at the beginning and the end of what other
programs' chains can lie between. They look at nothing but the probe's packets, by
their one hop and by a number that nobody can guess; and at its last stage each is dropped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from gateway.kernel import tables
from gateway.kernel.command import run
from gateway.kernel.filter.nftables import PREFIX, remove_script
from gateway.kernel.filter.words import has
from gateway.kernel.netlink import (
    NFT_MSG_GETSETELEM,
    Netfilter,
    attribute,
    attributes,
    steadily,
    text,
)
from gateway.kernel.probe.packets import HOPS
from gateway.policy.divert import Mark

NAME = f"{PREFIX}probe_"
"""How the names of such tables start. The process follows."""

_FIRST, _LAST = -(1 << 31) + 1, (1 << 31) - 2
"""Priorities, one off the ends: connection tracking has its last step at the very end."""

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
    @raise KernelError: it can't be done: C{nft} is not there, or privileges are missing.
    """
    kernel = Netfilter()
    name = f"{NAME}{os.getpid()}"
    try:
        left = _left_over(kernel)
        run(("nft", "-f", "-"), script(name, mark, token))
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


def script(name: str, mark: Mark, token: int) -> str:
    """What C{nft} is told."""
    kinds = [
        f"{hops} {HOPS} {carried} {token:#x}"
        for hops in ("ip ttl", "ip6 hoplimit")
        for carried in ("meta l4proto tcp @th,32,32", "meta l4proto udp @th,64,32")
    ]
    sets = "".join(
        f"\tset {stage.value} {{\n\t\ttype inet_service\n\t\tflags dynamic\n\t\tsize 1024\n\t}}\n"
        for stage in Stage
    )
    chains = "".join(
        f"\tchain {chain} {{\n\t\ttype filter hook {hook} priority {priority}; policy accept;\n"
        + "".join(f"\t\t{kind} {action}\n" for action in actions for kind in kinds)
        + "\t}\n"
        for chain, hook, priority, actions in (
            ("first", "prerouting", _FIRST, (f"{_add(Stage.RECEIVED)} meta nftrace set 1",)),
            (
                *("last", "prerouting", _LAST),
                (
                    f"meta {has(mark)} {_add(Stage.DIVERTED)} accept",
                    f"{_add(Stage.PASSED_BY)} drop",
                ),
            ),
            ("end", "input", _LAST, (f"{_add(Stage.ARRIVED)} drop",)),
        )
    )
    return f"{remove_script(name)}table inet {name} {{\n{sets}{chains}}}\n"


def _add(stage: Stage) -> str:
    return f"add @{stage.value} {{ th sport }}"

"""
The trace of a packet: which chain of nftables, or of iptables on top of it, has dropped it.

What C{nft monitor trace} shows. See enum nft_trace_attributes in
linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from contextlib import suppress
from errno import ENOBUFS
from socket import MSG_DONTWAIT

from attrs import frozen

from gateway.kernel import sockets
from gateway.kernel.changes import FAMILIES
from gateway.kernel.command import CommandError, run
from gateway.kernel.netlink import NETLINK_NETFILTER, attributes, received
from gateway.kernel.probe.stages import NAME

NFNLGRP_NFTRACE = 9
NFT_MSG_TRACE = 17

_TABLE, _CHAIN, _RULE_HANDLE, _TYPE, _VERDICT, _ID, _POLICY = 1, 2, 3, 4, 5, 6, 16
_TYPE_POLICY = 1
_VERDICT_CODE = 1
_DROP, _ACCEPT, _QUEUE = 0, 1, 3
_CODE = 0xFF
"""The rest of a verdict is the number of a queue, or the like."""

_PROBES = f"inet {NAME}"


@frozen
class Step:
    """
    What one rule, or a chain's policy, has said.

    @ivar table: such as C{"ip filter"}.
    @ivar handle: the rule's; 0: it is the chain's policy.
    @ivar packet: the kernel's number of the packet, while that is there; a later one may get it.
    """

    packet: int
    table: str
    chain: str
    handle: int
    dropped: bool
    queued: bool

    def __str__(self) -> str:
        what = f"rule {self.handle} of the" if self.handle else "the policy of the"
        return f"{what} chain {self.chain} in the table {self.table}"

    @property
    def text(self) -> str:
        """The rule in nft's words; empty if it can't be had."""
        if not self.handle:
            return "policy drop"
        try:
            listing = run(("nft", "-a", "list", "chain", *self.table.split(), self.chain))
        except CommandError:
            return ""
        found = re.search(rf"^\s*(.+?) # handle {self.handle}$", listing, re.MULTILINE)
        return found[1] if found else ""


class Own:
    """
    Tells the steps of a probe's own packets from others': the kernel tells everybody of all that is
    traced, be it by another probe at the same moment, or by an operator.

    Each probe's table, and no other rule, knows the probe's packets by their token; and it is the
    first to see them. So a number is a packet of the probe whose rule was the last to name it.

    @param table: the probe's own.
    """

    def __init__(self, table: str) -> None:
        self._table = f"inet {table}"
        self._packet: int | None = None

    def of(self, told: Iterable[Step]) -> list[Step]:
        """What others' rules have done with the probe's packets."""
        return [step for step in told if self._is_own(step)]

    def _is_own(self, step: Step) -> bool:
        if step.handle and step.table.startswith(_PROBES):
            if step.table == self._table:
                self._packet = step.packet
            elif step.packet == self._packet:
                self._packet = None
            return False
        return step.packet == self._packet


class Trace:
    """
    What the kernel tells of a probe's packets, for which a rule has said C{meta nftrace set 1}.

    @param table: the probe's own, which is left out.
    """

    def __init__(self, table: str) -> None:
        self._own = Own(table)
        self._news = sockets.netlink(NETLINK_NETFILTER, (NFNLGRP_NFTRACE,))

    def fileno(self) -> int:
        """Readable when there is something to read."""
        return self._news.fileno()

    def close(self) -> None:
        """Be told no more."""
        self._news.close()

    def read(self) -> list[Step]:
        """What has come. Does not wait."""
        steps: list[Step] = []
        with suppress(BlockingIOError):
            while True:
                try:
                    data = self._news.recv(1 << 20, MSG_DONTWAIT)
                except OSError as error:
                    if error.errno != ENOBUFS:
                        raise
                    continue
                steps += [
                    step(body)
                    for kind, _, _, body in received(data)
                    if kind & 0xFF == NFT_MSG_TRACE
                ]
        return self._own.of(steps)


def step(body: bytes) -> Step:
    """
    What one of the kernel's messages about a packet says: linux/netfilter/nf_tables.h, NFTA_TRACE.

    @raise KeyError: it lacks what each of them has.
    """
    found = dict(attributes(body[4:]))
    (kind,) = struct.unpack(">I", found[_TYPE])
    code = _ACCEPT
    if kind == _TYPE_POLICY:
        (code,) = struct.unpack(">I", found[_POLICY])
    elif _VERDICT in found:
        (code,) = struct.unpack(">I", dict(attributes(found[_VERDICT]))[_VERDICT_CODE])
    (handle,) = struct.unpack(">Q", found.get(_RULE_HANDLE, bytes(8)))
    (packet,) = struct.unpack(">I", found[_ID])
    return Step(
        packet,
        f"{FAMILIES.get(body[0], body[0])} {_name(found, _TABLE)}",
        _name(found, _CHAIN),
        handle,
        dropped=code == _DROP,
        queued=code & _CODE == _QUEUE and code < 1 << 31,
    )


def _name(found: dict[int, bytes], key: int) -> str:
    return found[key][:-1].decode(errors="replace")

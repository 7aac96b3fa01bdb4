"""
The trace of a packet: which chain of nftables, or of iptables on top of it, has dropped it.

What C{nft monitor trace} shows. See enum nft_trace_attributes in
linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from errno import ENOBUFS
from socket import MSG_DONTWAIT

from attrs import frozen

from gateway.kernel import sockets
from gateway.kernel.changes import FAMILIES
from gateway.kernel.command import CommandError, run
from gateway.kernel.netlink import NETLINK_NETFILTER, attributes, received

NFNLGRP_NFTRACE = 9
NFT_MSG_TRACE = 17

_TABLE, _CHAIN, _RULE_HANDLE, _TYPE, _VERDICT, _POLICY = 1, 2, 3, 4, 5, 16
_TYPE_POLICY = 1
_VERDICT_CODE = 1
_DROP, _ACCEPT, _QUEUE = 0, 1, 3
_CODE = 0xFF
"""The rest of a verdict is the number of a queue, or the like."""


@frozen
class Step:
    """
    What one rule, or a chain's policy, has said.

    @ivar table: such as C{"ip filter"}.
    @ivar handle: the rule's; 0: it is the chain's policy.
    """

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


class Trace:
    """What the kernel tells of packets for which a rule has said C{meta nftrace set 1}."""

    def __init__(self) -> None:
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
        return steps


def step(body: bytes) -> Step:
    found = dict(attributes(body[4:]))
    (kind,) = struct.unpack(">I", found[_TYPE])
    code = _ACCEPT
    if kind == _TYPE_POLICY:
        (code,) = struct.unpack(">I", found[_POLICY])
    elif _VERDICT in found:
        (code,) = struct.unpack(">I", dict(attributes(found[_VERDICT]))[_VERDICT_CODE])
    (handle,) = struct.unpack(">Q", found.get(_RULE_HANDLE, bytes(8)))
    return Step(
        f"{FAMILIES.get(body[0], body[0])} {_name(found, _TABLE)}",
        _name(found, _CHAIN),
        handle,
        dropped=code == _DROP,
        queued=code & _CODE == _QUEUE and code < 1 << 31,
    )


def _name(found: dict[int, bytes], key: int) -> str:
    return found[key][:-1].decode(errors="replace")

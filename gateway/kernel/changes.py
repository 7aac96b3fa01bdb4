"""
Changes: the kernel tells when somebody changes the packet filter or the routing.

Of the packet filter it tells each object that came or went, and at the end of each
transaction whose it was. Programs of the iptables of old (C{iptables-legacy}) change
theirs without a word. See linux/netfilter/nfnetlink.h and linux/rtnetlink.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOBUFS
from socket import MSG_DONTWAIT, socket

from attrs import frozen

from gateway.kernel import sockets
from gateway.kernel.netlink import (
    NETLINK_NETFILTER,
    NFT_MSG_NEWGEN,
    attributes,
    received,
)
from gateway.kernel.tables import TABLE

NETLINK_ROUTE = 0
NFNLGRP_NFTABLES = 7
RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE = 1, 7, 8
RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE = 11, 19
_ROUTING = (
    *(RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE),
    *(RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE),
)

RTM_NEWLINK, RTM_DELROUTE, RTM_NEWRULE, RTM_DELRULE = 16, 25, 32, 33
RTN_LOCAL = 2
LOOPBACK = 1
"""The index of the interface lo, in every network namespace."""

_GEN_PROC_PID, _GEN_PROC_NAME = 2, 3

FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_LOST = -1


@frozen
class Change:
    """
    Something that may concern us.

    @ivar table: the table of nftables, such as C{"inet filter"}. C{None}: routing; or, if there
        were so many changes that the kernel did not tell them all, anything.
    @ivar who: the program that did it, if the kernel tells.
    """

    table: str | None = None
    who: str = ""


class Changes:
    """All that was changed, by whomever, since the last time that somebody asked."""

    def __init__(self) -> None:
        self.filter = sockets.netlink(NETLINK_NETFILTER, (NFNLGRP_NFTABLES,))
        self.routing = sockets.netlink(NETLINK_ROUTE, _ROUTING)

    def read(self) -> list[Change]:
        """What has come. Does not wait."""
        return [*_filter_changes(self.filter), *_routing_changes(self.routing)]

    def close(self) -> None:
        """Be told no more."""
        self.filter.close()
        self.routing.close()


def _filter_changes(news: socket) -> Iterator[Change]:
    """One for each table that a transaction touched."""
    touched: set[str | None] = set()
    for kind, body in _messages(news):
        found = dict(attributes(body[4:]))
        if kind == _LOST:
            touched.add(None)
        elif kind & 0xFF != NFT_MSG_NEWGEN:
            touched.add(f"{FAMILIES.get(body[0], body[0])} {found[TABLE][:-1].decode()}")
        else:
            yield from (Change(table, _program(found)) for table in touched)
            touched.clear()
    yield from map(Change, touched)


def _program(found: dict[int, bytes]) -> str:
    """The program at whose behest it was."""
    name = found.get(_GEN_PROC_NAME, b"\0")[:-1].decode(errors="replace")
    (pid,) = struct.unpack(">I", found.get(_GEN_PROC_PID, bytes(4)))
    return f"{name}, process {pid}" if name else ""


def _routing_changes(news: socket) -> Iterator[Change]:
    """One for each rule, for the interface lo, and for those routes that may be ours."""
    for kind, body in _messages(news):
        if kind in (RTM_NEWRULE, RTM_DELRULE, _LOST) or (
            # struct rtmsg: the length of the destination, and the kind of route
            (kind == RTM_DELROUTE and body[1] == 0 and body[7] == RTN_LOCAL)
            # struct ifinfomsg: the index
            or (kind == RTM_NEWLINK and struct.unpack_from("=i", body, 4)[0] == LOOPBACK)
        ):
            yield Change()


def _messages(news: socket) -> Iterator[tuple[int, bytes]]:
    """Kind and content of all that has come."""
    with suppress(BlockingIOError):
        while True:
            try:
                data = news.recv(1 << 20, MSG_DONTWAIT)
            except OSError as error:
                if error.errno != ENOBUFS:
                    raise
                yield _LOST, b""
                continue
            for kind, _, _, body in received(data):
                yield kind, body

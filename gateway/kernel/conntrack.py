"""
Connection tracking: what the kernel knows of a connection, and that it forgets it.

By netlink: C{linux/netfilter/nfnetlink_conntrack.h}, whose names are used here. Zones are part of a
connection's name: who asks without one is told of zone 0 only.
"""

from __future__ import annotations

import os
import socket
from errno import ENOENT
from struct import Struct, pack, unpack, unpack_from

from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.netlink import (
    NETLINK_NETFILTER,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    attribute,
    attributes,
    received,
)
from gateway.kernel.sockets import family_of

NFNL_SUBSYS_CTNETLINK = 1
IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 0, 1, 2
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_PROTOINFO, CTA_TIMEOUT, CTA_ZONE = (
    1,
    2,
    3,
    4,
    7,
    18,
)
CTA_PROTOINFO_TCP = 1
CTA_PROTOINFO_TCP_STATE = 1
CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, CTA_PROTOINFO_TCP_FLAGS_REPLY = 4, 5
TCP_CONNTRACK_ESTABLISHED = 3
IP_CT_TCP_FLAG_BE_LIBERAL = 0x08
IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED = 0x2, 0x4, 0x8
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT = 1, 2, 3
CTA_IP = {socket.AF_INET: (1, 2), socket.AF_INET6: (3, 4)}
IPS_NAT_MASK = 0x30

_NESTED = 0x8000
_HEADER = Struct("=IHHIIBBH")
_SECONDS = 1.0

_FIRST_SECONDS = 60
"""Until the first packet, which is there already; from then on the kernel's own time counts."""


class Tracking:
    """
    A socket to the kernel's connection tracking. Where there is none, it knows nothing.

    @raise OSError: the kernel has no netlink for packet filters.
    """

    def __init__(self) -> None:
        self._socket = sockets.netlink(NETLINK_NETFILTER)
        self._socket.settimeout(_SECONDS)
        self._number = 0

    def translates(self, source: Address, destination: Address, zone: int) -> bool:
        """
        Whether a connection has other addresses or ports outside than those it was made with.

        @param source: who made it.
        """
        asked = NLM_F_REQUEST, IPCTNL_MSG_CT_GET
        for kind, content in attributes(self._ask(*asked, source, destination, zone)):
            if kind == CTA_STATUS:
                return bool(unpack(">I", content)[0] & IPS_NAT_MASK)
        return False

    def forget(self, source: Address, destination: Address, zone: int) -> None:
        """Let the kernel forget a connection. Harmless if it is not known."""
        asked = NLM_F_REQUEST | NLM_F_ACK, IPCTNL_MSG_CT_DELETE
        self._ask(*asked, source, destination, zone)

    def establish(self, source: Address, destination: Address, zone: int) -> None:
        """
        Let the kernel know a connection whose beginning it has not seen, whatever it knows of an
        earlier one. Numbers are not looked at.
        """
        asked = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, IPCTNL_MSG_CT_NEW
        more = _tuple(destination, source, CTA_TUPLE_REPLY) + _ESTABLISHED
        self._ask(*asked, source, destination, zone, more)

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()

    def _ask(
        self,
        flags: int,
        kind: int,
        source: Address,
        destination: Address,
        zone: int,
        more: bytes = b"",
    ) -> bytes:
        """The attributes of the answer; empty if there is no such connection."""
        self._number += 1
        body = _tuple(source, destination) + attribute(CTA_ZONE, pack(">H", zone)) + more
        kind |= NFNL_SUBSYS_CTNETLINK << 8
        header = _HEADER.pack(
            *(_HEADER.size + len(body), kind, flags, self._number, 0),
            *(family_of(source.host), 0, 0),
        )
        try:
            self._socket.send(header + body)
            return self._answer()
        except OSError as error:
            if error.errno == ENOENT:
                return b""
            raise

    def _answer(self) -> bytes:
        while True:
            for kind, _, number, body in received(self._socket.recv(1 << 16)):
                if number != self._number:
                    continue
                if kind != NLMSG_ERROR:
                    return body[4:]
                code = -unpack_from("=i", body)[0]
                if code:
                    raise OSError(code, os.strerror(code))
                return b""


_TUPLE = {
    socket.AF_INET: Struct("=HH HH HH4s HH4s HH HHB3x HH2s2x HH2s2x"),
    socket.AF_INET6: Struct("=HH HH HH16s HH16s HH HHB3x HH2s2x HH2s2x"),
}
"""Of addresses and ports, for each session several times: length and kind before each content."""

_PROTO_LENGTH = 28


def _tuple(source: Address, destination: Address, kind: int = CTA_TUPLE_ORIG) -> bytes:
    family = family_of(source.host)
    made, (from_, to) = _TUPLE[family], CTA_IP[family]
    hosts = [socket.inet_pton(family, each.host) for each in (source, destination)]
    host = 4 + len(hosts[0])
    return made.pack(
        *(made.size, kind | _NESTED, 4 + 2 * host, CTA_TUPLE_IP | _NESTED),
        *(host, from_, hosts[0], host, to, hosts[1]),
        *(_PROTO_LENGTH, CTA_TUPLE_PROTO | _NESTED, 5, CTA_PROTO_NUM, socket.IPPROTO_TCP),
        *(6, CTA_PROTO_SRC_PORT, pack(">H", source.port)),
        *(6, CTA_PROTO_DST_PORT, pack(">H", destination.port)),
    )


def _established() -> bytes:
    """A connection of TCP that was seen both ways."""
    liberal = bytes([IP_CT_TCP_FLAG_BE_LIBERAL]) * 2  # flags, and which of them are set
    tcp = (
        attribute(CTA_PROTOINFO_TCP_STATE, bytes([TCP_CONNTRACK_ESTABLISHED]))
        + attribute(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, liberal)
        + attribute(CTA_PROTOINFO_TCP_FLAGS_REPLY, liberal)
    )
    return (
        attribute(CTA_STATUS, pack(">I", IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED))
        + attribute(CTA_TIMEOUT, pack(">I", _FIRST_SECONDS))
        + attribute(CTA_PROTOINFO | _NESTED, attribute(CTA_PROTOINFO_TCP | _NESTED, tcp))
    )


_ESTABLISHED = _established()

"""
Old sockets: those in TIME_WAIT, which keep a connection from being forwarded, or taken.

Asked of the kernel by C{SOCK_DESTROY}, see linux/sock_diag.h and linux/inet_diag.h.
"""

from __future__ import annotations

import socket
from struct import pack

from gateway.interfaces import Address
from gateway.kernel import sockets
from gateway.kernel.netlink import NLM_F_ACK, NLM_F_REQUEST

NETLINK_SOCK_DIAG = 4
SOCK_DESTROY = 21
_ANY_COOKIE = b"\xff" * 8
_ALL_STATES = 0xFFFFFFFF


class OldSockets:
    """A socket to ask by. Whether there was anything is not of interest."""

    def __init__(self) -> None:
        self._socket = sockets.netlink(NETLINK_SOCK_DIAG)

    def forget(self, local: Address, peer: Address) -> None:
        """
        Take the socket between two ends away.

        @raise OSError: the kernel does not listen.
        """
        family = sockets.family_of(local.host)
        hosts = (socket.inet_pton(family, each.host).ljust(16, b"\0") for each in (local, peer))
        ends = pack("!HH", local.port, peer.port) + b"".join(hosts) + bytes(4) + _ANY_COOKIE
        body = pack("=BBBxI", family, socket.IPPROTO_TCP, 0, _ALL_STATES) + ends
        header = pack("=IHHII", 16 + len(body), SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, 0, 0)
        self._socket.send(header + body)
        self._socket.recv(4096)

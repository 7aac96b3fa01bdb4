"""Access: who is at the other end of the socket, and what he may."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Callable

from attrs import frozen

ROOT = 0

SO_PEERGROUPS = 59
"""Linux 4.13; Python has no name for it."""

MOST_GROUPS = 256
"""What Python has the kernel say at once. Of who is in more, only the first group counts."""

CREDENTIALS = struct.Struct("iii")
GROUP = struct.Struct("I")


@frozen
class Peer:
    """Who made a connection, as the kernel says."""

    uid: int
    groups: frozenset[int]


@frozen
class Access:
    """
    @ivar own: the gateway's own user.
    @ivar operators: the group whose members may change something; C{None}: there is none.
    """

    own: int
    operators: int | None = None

    def may_change(self, peer: Peer) -> bool:
        """Whether that one may do more than look."""
        return peer.uid in (ROOT, self.own) or self.operators in peer.groups


def peer_of(connection: socket.socket) -> Peer:
    """
    Who made a connection to a Unix socket.

    @raise OSError: the kernel does not say.
    """
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, uid, gid = CREDENTIALS.unpack(found)
    try:
        others = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, GROUP.size * MOST_GROUPS)
    except OSError:
        others = b""
    return Peer(uid, frozenset((gid, *(group for (group,) in GROUP.iter_unpack(others)))))


def name_of(uid: int, look_up: Callable[[int], pwd.struct_passwd] = pwd.getpwuid) -> str:
    """
    A user, for records: C{"root (uid 0)"}. It may take its time, where users are in a directory
    somewhere else.
    """
    try:
        return f"{look_up(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def own_user(owner: tuple[int, int] | None) -> int:
    """The user that the gateway runs as, or will."""
    return os.getuid() if owner is None else owner[0]

"""Addresses of daemons: a socket in the file system, or an IP address and a port."""

from __future__ import annotations

import errno
import os
import socket

from gateway.kernel.sockets import send_at_once
from gateway.policy.notation import read_address


class Busy(Exception):
    """The daemon has as many connections waiting as it has room for: it is to be asked again."""


def begin(address: str) -> tuple[socket.socket, bool]:
    """
    A socket that is, or is being, connected to a daemon.

    @return: and whether it is connected already.
    @raise Busy: it is there, and full.
    @raise OSError: it is not there.
    """
    local = address.startswith("/")
    to = address if local else tuple(read_address(address))
    family = socket.AF_UNIX if local else socket.AF_INET6 if "[" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    if not local:
        send_at_once(made)
    error = made.connect_ex(to)
    if error in (0, errno.EINPROGRESS):
        return made, not error
    made.close()
    if error == errno.EAGAIN:  # a Unix socket's queue; nobody tells when there is room
        raise Busy(address)
    raise OSError(error, os.strerror(error))

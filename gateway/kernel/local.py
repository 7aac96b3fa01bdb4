"""
Our own processes, and how they reach each other on this host.

By connections that keep packets apart, so that half of one is never read, and descriptors can
come with it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

JOURNAL = {name: os.environ[name] for name in ("JOURNAL_STREAM",) if name in os.environ}
"""Where the messages of a process that we start go is where ours go."""


def listen(path: Path) -> socket.socket:
    """
    Where gateways may connect: whoever may open C{path}, which is the owner and the group.

    @raise OSError: it can't be had.
    """
    path.parent.mkdir(0o750, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen()
    return listener


def connect(path: Path) -> socket.socket:
    """
    Connect to a process that is a service of its own.

    @raise OSError: it isn't there.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def environment() -> dict[str, str]:
    """For a process that we start: it finds the packages that this process has found."""
    own = str(Path(__file__).resolve().parents[2])
    found = ":".join([own, *(path for path in sys.path if path)])
    return {**JOURNAL, "PYTHONPATH": found, "LC_ALL": "C.UTF-8"}

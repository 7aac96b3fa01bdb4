"""
What systemd, or another service manager with its protocol, is told, and keeps for us: sd_notify(3).

A datagram to the socket that C{$NOTIFY_SOCKET} names. Without one, nobody wants to know. What the
operator is told goes to standard error, which may be the journal's: sd-daemon(3).
"""

from __future__ import annotations

import os
import socket
import sys
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import CLOCK_MONOTONIC, clock_gettime_ns

ERROR, WARNING, INFORMATION = 3, 4, 6
"""Priorities of the journal's lines."""

_FIRST = 3
"""SD_LISTEN_FDS_START"""


class Systemd:
    """
    @param environment: that of the process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._path = environment.get("NOTIFY_SOCKET", "")

    def ready(self, status: str) -> None:
        """It has started, or the reload is over."""
        self._say("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins. L{ready} ends it, however it went."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={clock_gettime_ns(CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """It stops."""
        self._say("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """What C{systemctl status} shows."""
        self._say(f"STATUS={status}")

    def alive(self) -> None:
        """Feed the watchdog (C{WatchdogSec}), if there is one."""
        self._say("WATCHDOG=1")

    def keep(self, name: str, descriptor: int) -> None:
        """Hold a descriptor over our own end, for our successor (C{FileDescriptorStoreMax})."""
        self._say("FDSTORE=1", f"FDNAME={name}", descriptors=[descriptor])

    def _say(self, *lines: str, descriptors: Sequence[int] = ()) -> None:
        if not self._path:
            return
        # abstract names begin with a NUL, and are written with an @
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        message = "\n".join(line.replace("\n", " ") for line in lines)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify,
            # a manager that does not listen is no reason to stop
            suppress(OSError),
        ):
            # not socket.send_fds, which takes an address and does not use it
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))
            notify.sendmsg([message.encode()], [rights] if descriptors else [], 0, address)


def say(name: str, priority: int, text: str) -> None:
    """
    Tell the operator, in lines that the journal knows the priority of.

    @param name: the process's.
    """
    mark = f"<{priority}>" if "JOURNAL_STREAM" in os.environ else ""
    sys.stderr.write("".join(f"{mark}tproxygw {name}: {line}\n" for line in text.splitlines()))
    sys.stderr.flush()


def kept(environment: Mapping[str, str], process: int) -> dict[str, int]:
    """
    The descriptors that systemd has kept from our predecessor, by their names: sd_listen_fds(3).

    @param process: our number: they may have been somebody else's, who has started us.
    """
    if environment.get("LISTEN_PID") != str(process):
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    return dict(zip(names, range(_FIRST, _FIRST + len(names)), strict=True))

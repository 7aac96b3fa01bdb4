"""How a gateway starts a carrier of its own, which ends with it."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from gateway.kernel.child import Child
from gateway.kernel.local import environment


class Started(NamedTuple):
    """A process, and the connection to it, whose end ends it."""

    process: subprocess.Popen[bytes] | Child
    connection: socket.socket


def start(
    directory: Path,
    runtime: Path,
    module: str = "gateway.kernel.release",
    listener: socket.socket | None = None,
) -> Started:
    """
    Start it. Whether it can do its work, it says itself.

    @param directory: the configuration folder.
    @param runtime: the folder for what a reboot may empty.
    @param module: what the process does; a carrier's work if nothing else is said.
    @param listener: where workers reach it. It closes ours.
    """
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    folders = ("--config", str(directory.resolve()), "--runtime", str(runtime.resolve()))
    descriptors = () if listener is None else (listener.fileno(),)
    inherited = () if listener is None else ("--inherited", str(listener.fileno()))
    with theirs, listener or nullcontext():
        process = subprocess.Popen(
            (sys.executable, "-P", "-m", module, *folders, *inherited),
            stdin=theirs.fileno(),
            stdout=2,
            pass_fds=descriptors,
            # not in the terminal's group: Ctrl-C is for the gateway, which then says so
            start_new_session=True,
            cwd="/",
            env=environment(),
        )
    return Started(process, ours)

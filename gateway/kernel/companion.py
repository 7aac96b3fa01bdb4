"""
Companions: processes of ours that do one thing each, with privileges that the gateway has given up
or a key that it must not have. One that is no service of its own ends with the gateway.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from twisted.logger import Logger

from gateway.kernel.child import Child
from gateway.kernel.local import environment
from gateway.kernel.packets import receive

log = Logger()

GREETING_SECONDS = 30.0
"""For the first words of one that has just been started: it has to read the policy."""

ENDING_SECONDS = 10.0
"""For one to end."""


class CompanionError(Exception):
    """It can't do its work; the message is for the operator."""


class Companion(NamedTuple):
    """
    @ivar name: what messages call it.
    @ivar connection: the end of it ends the process.
    """

    name: str
    process: subprocess.Popen[bytes] | Child
    connection: socket.socket

    def wait(self) -> None:
        """Until it has ended, if it does not hang, which is told then. It blocks."""
        try:
            self.process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            log.error(
                "the {name} does not end: kill {process}", name=self.name, process=self.process.pid
            )


def start(
    name: str, module: str, directory: Path, runtime: Path, listener: socket.socket | None = None
) -> Companion:
    """
    Start one. Whether it can do its work, it says itself.

    @param module: what the process does.
    @param directory: the configuration folder.
    @param runtime: the folder for what a reboot may empty.
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
    return Companion(name, process, ours)


def first_words(connection: socket.socket) -> dict[str, Any]:
    """
    Wait until a companion says something. It blocks.

    @raise CompanionError: it doesn't, or not in time; its standard error says why.
    """
    before = connection.gettimeout()
    try:
        connection.settimeout(GREETING_SECONDS)
        return receive(connection)[0]
    except (EOFError, OSError, ValueError) as error:
        raise CompanionError(str(error) or "it has ended") from None
    finally:
        connection.settimeout(before)

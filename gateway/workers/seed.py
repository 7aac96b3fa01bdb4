"""
The seed: it has imported all that nurseries need, and forks one for each policy.

It is started as the gateway is, maybe by root, and so is the first nursery: it may read what only
root can read. Both then are who the gateway is, with no more privileges than traffic needs. It
ends with the connection to its supervisor.
"""

from __future__ import annotations

import os
import signal
import socket
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.python.util import switchUID

from gateway.kernel.capabilities import TRAFFIC, drop_to, keep_through_setuid
from gateway.kernel.packets import receive
from gateway.workers.spec import NurserySpec

DESCRIPTORS = 250
"""That come with one packet, at most: SCM_MAX_FD is 253."""

Owner = tuple[int, int] | None

Nurse = Callable[[NurserySpec, socket.socket, Callable[[], None]], None]
"""Is a nursery, to its end; gives up privileges when it has loaded."""


class Seed:
    """
    @param owner: the user and group to be; C{None}: who we are.
    @param nurse: what a nursery does.
    """

    def __init__(self, connection: socket.socket, owner: Owner, nurse: Nurse) -> None:
        self._connection = connection
        self._owner = owner
        self._nurse = nurse
        self._shed = False
        self._given: list[int] = []

    def work(self) -> None:
        """Fork nurseries when asked, until the supervisor is gone."""
        while True:
            try:
                message, descriptors = receive(self._connection, DESCRIPTORS)
            except (EOFError, OSError):
                return
            self._given += descriptors
            if message.get("begin"):
                self._begin()

    def _begin(self) -> None:
        given, self._given = self._given, []
        if not os.fork():
            self._be_nursery(given)
        for descriptor in given:
            os.close(descriptor)
        self._shed_privileges()

    def _be_nursery(self, given: list[int]) -> NoReturn:
        status = 1
        try:
            # its workers are its own to reap
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._connection.close()
            written, connection, *others = given
            spec = NurserySpec.read(written, others)
            self._nurse(spec, socket.socket(fileno=connection), self._shed_privileges)
            status = 0
        except BaseException:  # the supervisor sees the end of the connection, and refers to this
            traceback.print_exc()
        finally:
            os._exit(status)

    def _shed_privileges(self) -> None:
        if self._shed:
            return
        self._shed = True
        if self._owner is not None:
            keep_through_setuid()
            become: Any = switchUID
            become(*self._owner)
        drop_to(TRAFFIC)


def ignore_signals() -> None:
    """They are the supervisor's, who tells us. Nurseries that have ended are nobody's."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)

"""OwnUsher: the usher of all workers, if the policy wants one and it is no service of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from subprocess import TimeoutExpired

from attrs import frozen
from twisted.logger import Logger

from gateway.admission.arrivals import GREETING_SECONDS
from gateway.kernel.child import Child
from gateway.kernel.local import listen
from gateway.kernel.release.packets import receive
from gateway.kernel.release.start import Started, start
from gateway.life.options import Places
from gateway.policy.policy import Policy
from gateway.workers.estate import Estate, left, taken
from gateway.workers.ushering import GONE, MODULE, SECONDS

log = Logger()


@frozen
class OwnUsher:
    """
    @ivar socket: where workers reach it.
    @ivar started: the process, and the connection whose end ends it.
    """

    socket: Path
    started: Started

    @classmethod
    def begin(
        cls, policy: Policy, places: Places, owner: tuple[int, int] | None
    ) -> OwnUsher | None:
        """
        Start one, with the privileges that are given up afterwards. It blocks.

        @param owner: the user and group of workers, if they are not ours.
        @return: C{None}: it is not wanted, or somebody else's. If it can't do its work that is
            told, and workers wait for it in vain.
        @raise OSError: there can't be a process, or a socket.
        """
        if not policy.shakes_hands_through or places.usher is not None:
            return None
        folder = places.state / "usher"
        path = folder / "socket"
        listener = listen(path)
        if owner is not None:
            for each in (folder, path):
                os.chown(each, *owner)
        started = start(places.directory, folder, MODULE, listener)
        try:
            started.connection.settimeout(GREETING_SECONDS)
            receive(started.connection)
        except (EOFError, OSError, ValueError) as error:
            log.error(GONE, error=str(error) or "it has ended")
        return cls(path, started)

    @classmethod
    def inherited(cls, told: Estate | None) -> OwnUsher | None:
        """One that a predecessor has left, if it has."""
        if told is None:
            return None
        connection = socket.socket(fileno=taken(told["connection"]))
        return cls(Path(told["socket"]), Started(Child(told["process"]), connection))

    def bequeath(self) -> Estate:
        """For L{inherited}."""
        return {
            "socket": str(self.socket),
            "connection": left(self.started.connection.fileno()),
            "process": self.started.process.pid,
        }

    def close(self) -> None:
        """End it. It blocks."""
        self.started.connection.close()
        try:
            self.started.process.wait(SECONDS)
        except TimeoutExpired:
            log.error("the usher does not end: kill {process}", process=self.started.process.pid)

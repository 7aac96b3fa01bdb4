"""Carrying: the carrier of all workers, if the policy wants one and it is no service of its own."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from subprocess import TimeoutExpired

from attrs import frozen
from twisted.logger import Logger

from gateway.kernel.child import Child
from gateway.kernel.local import listen
from gateway.kernel.release.packets import receive
from gateway.kernel.release.start import Started, start
from gateway.life.options import Places
from gateway.life.releasing import SECONDS
from gateway.policy.policy import Policy
from gateway.release.carriage import GREETING_SECONDS
from gateway.workers.estate import Estate, left, taken

log = Logger()


@frozen
class Carrying:
    """
    @ivar socket: where workers reach it.
    @ivar started: the process, and the connection whose end ends it.
    """

    socket: Path
    started: Started

    @classmethod
    def begin(
        cls, policy: Policy, places: Places, owner: tuple[int, int] | None
    ) -> Carrying | None:
        """
        Start one, with the privileges that are given up afterwards. It blocks.

        @param owner: the user and group of workers, if they are not ours.
        @return: C{None}: it is not wanted, or somebody else's; or it can't do its work, which is
            told. Workers relay everything then.
        """
        if not policy.release.kernel or places.carrier is not None:
            return None
        folder = places.state / "carrier"
        path = folder / "socket"
        try:
            listener = listen(path)
            if owner is not None:
                for each in (folder, path):
                    os.chown(each, *owner)
            started = start(places.directory, folder, listener=listener)
            _greeted(started.connection)
        except (EOFError, OSError, ValueError) as error:
            log.error(
                "the kernel takes over no sessions, as there is no carrier: {error}; "
                "see: tproxygw doctor",
                error=str(error) or "it has ended",
            )
            return None
        return cls(path, started)

    @classmethod
    def inherited(cls, told: Estate | None) -> Carrying | None:
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
            log.error("the carrier does not end: kill {process}", process=self.started.process.pid)


def _greeted(connection: socket.socket) -> None:
    """@raise OSError: it can't do its work; its standard error says why."""
    with_time = connection.gettimeout()
    connection.settimeout(GREETING_SECONDS)
    receive(connection)
    connection.settimeout(with_time)

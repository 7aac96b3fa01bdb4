"""Companions of all workers: a carrier and an usher, where they are no services of their own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from attrs import frozen
from twisted.logger import Logger

from gateway.kernel.child import Child
from gateway.kernel.companion import Companion, CompanionError, first_words, start
from gateway.kernel.local import listen
from gateway.life.options import Places
from gateway.life.releasing import CARRIER
from gateway.life.releasing import GONE as NO_CARRIER
from gateway.policy.policy import Policy
from gateway.workers.estate import Estate, left, taken
from gateway.workers.ushering import GONE as NO_USHER
from gateway.workers.ushering import USHER

log = Logger()


@frozen
class Reachable:
    """
    One that has a place where workers reach it.

    @ivar socket: that place.
    """

    socket: Path
    companion: Companion

    @classmethod
    def begin(
        cls, what: tuple[str, str], places: Places, owner: tuple[int, int] | None
    ) -> Reachable:
        """
        Start one, with the privileges that are given up afterwards. It blocks.

        @param what: its name and module.
        @param owner: the user and group of workers, if they are not ours.
        @raise OSError: there can't be a process, or a socket.
        """
        name, module = what
        folder = places.state / name
        path = folder / "socket"
        listener = listen(path)
        if owner is not None:
            for each in (folder, path):
                os.chown(each, *owner)
        return cls(path, start(name, module, places.directory, folder, listener))

    @classmethod
    def inherited(cls, told: Estate | None) -> Reachable | None:
        """One that a predecessor has left, if it has."""
        if told is None:
            return None
        connection = socket.socket(fileno=taken(told["connection"]))
        place = Path(told["socket"])
        return cls(place, Companion(place.parent.name, Child(told["process"]), connection))

    def bequeath(self) -> Estate:
        """For L{inherited}."""
        return {
            "socket": str(self.socket),
            "connection": left(self.companion.connection.fileno()),
            "process": self.companion.process.pid,
        }

    def close(self) -> None:
        """End it. It blocks."""
        self.companion.connection.close()
        self.companion.wait()


def carrier(policy: Policy, places: Places, owner: tuple[int, int] | None) -> Reachable | None:
    """
    One that is wanted, if there is none.

    @return: C{None} also if it can't do its work, which is told. Workers relay everything then.
    """
    if not policy.release.kernel or places.carrier is not None:
        return None
    try:
        found = Reachable.begin(CARRIER, places, owner)
        first_words(found.companion.connection)
    except (CompanionError, OSError) as error:
        log.error(NO_CARRIER, error=str(error))
        return None
    return found


def usher(policy: Policy, places: Places, owner: tuple[int, int] | None) -> Reachable | None:
    """
    One that is wanted, if there is none. If it can't do its work that is told, and workers wait
    for it in vain.

    @raise OSError: there can't be a process, or a socket.
    """
    if not policy.shakes_hands_through or places.usher is not None:
        return None
    found = Reachable.begin(USHER, places, owner)
    try:
        first_words(found.companion.connection)
    except CompanionError as error:
        log.error(NO_USHER, error=str(error))
    return found

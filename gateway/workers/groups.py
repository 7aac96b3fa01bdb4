"""
Groups: the listening sockets of all workers, held by the supervisor to its end.

At each place there are as many as workers, in the same order always: the kernel tells them
apart by it. Worker k has the k-th of each. While nobody accepts there, connections
wait in the kernel: so whoever dies, or makes room for another one, loses none.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from twisted.logger import Logger

from gateway.admission.listeners import Place, check_free, listen, places
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.policy.connection import Protocol
from gateway.policy.policy import Policy
from gateway.workers.choice import PROGRAMS
from gateway.workers.estate import left, taken
from gateway.workers.spec import read_place, write_place

log = Logger()


class Groups:
    """The groups, by their places."""

    def __init__(self) -> None:
        self._groups: dict[Place, list[Socket]] = {}
        self._before: dict[Place, int] | None = None

    def inherit(self, told: list[list[Any]]) -> None:
        """A predecessor has left them."""
        for place, descriptors in map(read_place, told):
            self._groups[place] = [sockets.inherited(taken(each)) for each in descriptors]

    def bequeath(self) -> list[list[Any]]:
        """For L{inherit}."""
        return [
            write_place(place, [left(each) for each in descriptors])
            for place, descriptors in self.descriptors()
        ]

    def open(self, policy: Policy, count: int) -> None:
        """
        See to it that there are C{count} sockets at each place. After this L{adopt} or L{abandon}
        is called.

        @raise OSError: a port is taken, or privileges are missing.
        """
        self._before = {place: len(group) for place, group in self._groups.items()}
        for place in sorted(places(policy), key=str):
            if place not in self._groups:
                check_free(place, self._groups)
            group = self._groups.setdefault(place, [])
            try:
                while len(group) < count:
                    group.append(listen(policy, place, group=True))
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:
                    raise
                log.info("not listening at {host}: no IPv6 here", host=place.address.host)
                del self._groups[place]

    def steer(self, policy: Policy, count: int, alive: Sequence[int]) -> None:
        """
        Let connections come to the workers that are C{alive}, of C{count}.

        @raise OSError: the kernel doesn't take the program.
        """
        if not alive:
            return
        program = PROGRAMS[policy.workers.steer](count, alive)
        for place, group in self._groups.items():
            if place.protocol is Protocol.TCP and group:
                sockets.choose_by(group[0], program)

    def abandon(self) -> None:
        """Close what was opened last, if it was not adopted."""
        before, self._before = self._before, None
        if before is None:
            return
        for place in self._groups.keys() - before.keys():
            _close(self._groups.pop(place))
        for place, group in self._groups.items():
            _close(group[before[place] :])
            del group[before[place] :]

    def adopt(self) -> None:
        """What was opened is in use."""
        self._before = None

    def keep(self, policy: Policy, count: int) -> None:
        """Close what this policy does not need."""
        for place in self._groups.keys() - places(policy):
            _close(self._groups.pop(place))
        for group in self._groups.values():
            _close(group[count:])
            del group[count:]

    def descriptors(self) -> Iterator[tuple[Place, list[int]]]:
        """Of all workers, for each place."""
        for place, group in self._groups.items():
            yield place, [sock.fileno() for sock in group]

    def close(self) -> None:
        """Accept no more: what waits is reset."""
        _close(chain(*self._groups.values()))
        self._groups.clear()


def _close(group: Sequence[Socket] | chain[Socket]) -> None:
    for sock in group:
        sock.close()

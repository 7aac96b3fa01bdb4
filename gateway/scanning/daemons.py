"""Daemons: all that services name, each once; and the first of several that answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from gateway.observe.scans import ScannerHealth
from gateway.scanning.address import Busy
from gateway.scanning.daemon import Daemon
from gateway.scanning.line import Line
from gateway.scanning.resident import begin
from gateway.tools import Run, Terms, Unavailable, let_go

AGAIN_SECONDS = 0.05
"""Until a daemon that is busy is asked again: it does not tell when it is not."""


class Daemons:
    """The daemons of all services; one that is asked on several terms counts for each of them."""

    def __init__(self, reactor: Any, folder: Callable[[], str] = str) -> None:
        """@param folder: says in which a program that stays gets one of its own."""
        self._reactor = reactor
        self._folder = folder
        self._daemons: dict[tuple[object, Terms], Daemon] = {}

    def daemon(self, address: str, terms: Terms) -> Daemon:
        """The daemon there."""
        found = self._daemons.get((address, terms))
        if found is None:
            found = self._daemons[address, terms] = Daemon(self._reactor, address, terms)
        return found

    def resident(self, run: Run, terms: Terms) -> Daemon:
        """All processes of a program that stays."""
        key = (run.command, run.memory), terms
        found = self._daemons.get(key)
        if found is None:
            make = partial(self._start, run)
            found = self._daemons[key] = Daemon(self._reactor, run.called, terms, make)
        return found

    def _start(self, run: Run) -> Line:
        return begin(self._reactor, run, self._folder())

    def line(
        self, whom: tuple[str, ...] | Run, terms: Terms, fresh: bool, but: Collection[str]
    ) -> Deferred[tuple[Daemon, Line]]:
        """See L{ITools.line<gateway.tools.ITools>}."""
        if isinstance(whom, Run):
            daemons = [] if whom.called in but else [self.resident(whom, terms)]
        else:
            daemons = [self.daemon(each, terms) for each in whom if each not in but]
        return Deferred.fromCoroutine(self._first(daemons, fresh))

    async def _first(self, daemons: list[Daemon], fresh: bool) -> tuple[Daemon, Line]:
        why = "no daemon is left to ask"
        while True:
            busy = False
            for daemon in daemons:
                if not daemon.admits():
                    why = daemon.why_not
                    continue
                try:
                    return daemon, await daemon.line(fresh)
                except Busy:
                    busy = True
                except (OSError, Unavailable) as error:
                    let_go(error)
                    why = daemon.why_not
            if not busy:
                raise Unavailable(why)
            await deferLater(self._reactor, AGAIN_SECONDS)

    def health(self) -> Iterator[ScannerHealth]:
        """Of each address."""
        found: dict[str, list[ScannerHealth]] = {}
        for daemon in self._daemons.values():
            found.setdefault(daemon.address, []).append(daemon.health)
        for address, each in found.items():
            yield ScannerHealth(
                address,
                any(one.rests for one in each),
                sum(one.lines for one in each),
                sum(one.waiting for one in each),
            )

    def adopt(self) -> None:
        """A new policy is in force, which may have others: who is not in use is forgotten."""
        for key, daemon in tuple(self._daemons.items()):
            daemon.stop()
            if daemon.unused:
                del self._daemons[key]

    def stop(self) -> None:
        """The gateway stops."""
        for daemon in self._daemons.values():
            daemon.stop()

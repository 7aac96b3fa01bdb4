"""Tools: what one session has of spools, daemons and programs, until it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from gateway.counts import Counts
from gateway.observe.scans import Scans
from gateway.policy.spool import SpoolSettings
from gateway.scanning.aside import Aside
from gateway.scanning.daemon import Daemon
from gateway.scanning.daemons import Daemons
from gateway.scanning.line import Line
from gateway.scanning.programs import Programs
from gateway.scanning.spool import Spool, Spools
from gateway.tools import ILine, ISpool, ITools, Ran, Run, Terms


class Closed(Protocol):
    """What is given back at the end."""

    def close(self) -> None:
        """Harmless if it was already."""


class Room:
    """What all sessions of the process share."""

    def __init__(self, spools: Spools, daemons: Daemons, programs: Programs, scans: Scans) -> None:
        self.spools = spools
        self.daemons = daemons
        self.programs = programs
        self.scans = scans
        scans.scanners = daemons.health
        scans.spooled = lambda: (spools.in_memory, spools.in_files)

    def adopt(self, settings: SpoolSettings) -> None:
        """A new policy is in force."""
        self.spools.folder = settings.folder
        self.spools.memory_bytes = settings.memory_bytes
        self.spools.file_bytes = settings.file_bytes
        self.spools.client_bytes = settings.client_bytes
        self.daemons.adopt()

    def stop(self) -> None:
        """The gateway stops."""
        self.daemons.stop()
        self.programs.stop()


def room(reactor: Any, settings: SpoolSettings, scans: Scans, counts: Counts | None = None) -> Room:
    """The tools of a gateway."""
    bounds = settings.memory_bytes, settings.file_bytes, settings.client_bytes
    spools = Spools(settings.folder, *bounds, counts)
    programs = Programs(reactor, lambda: spools.folder)
    return Room(spools, Daemons(reactor, lambda: spools.folder), programs, scans)


@implementer(ITools)
class Tools:
    """See L{ITools}. Made when a session first asks for them."""

    def __init__(self, room: Room, service: str, client: str = "") -> None:
        self._room = room
        self._service = service
        self._client = client
        self._held: list[Closed] = []
        self._closed = False

    def spool(self, memory: int) -> Spool:
        """See L{ITools.spool}."""
        spool = self._room.spools.open(memory, self._client)
        self._hold(spool)
        return spool

    def line(
        self,
        whom: tuple[str, ...] | Run,
        terms: Terms,
        fresh: bool = False,
        but: Collection[str] = (),
    ) -> Deferred[ILine]:
        """See L{ITools.line}."""
        found = self._room.daemons.line(whom, terms, fresh, but)
        self._hold(_Waiting(found))
        return found.addCallback(self._lend)

    def _lend(self, found: tuple[Daemon, Line]) -> Borrowed:
        line = Borrowed(*found)
        self._hold(line)
        return line

    def run(self, program: Run, body: ISpool, output: ISpool | None = None) -> Deferred[Ran]:
        """See L{ITools.run}."""
        running = self._room.programs.run(program, body, output)
        self._hold(_Waiting(running))
        return running

    def aside(self, folder: str, name: str, most: int) -> Aside:
        """See L{ITools.aside}."""
        aside = Aside(folder, name, most)
        self._hold(aside)
        return aside

    def judged(self, verdict: str, seconds: float) -> None:
        """See L{ITools.judged}."""
        self._room.scans.judge(self._service, verdict, seconds)

    def _hold(self, one: Closed) -> None:
        """It is closed with the session, or now if that is over."""
        if self._closed:
            one.close()
        else:
            self._held.append(one)

    def close(self) -> None:
        """The session is over."""
        self._closed = True
        held, self._held = self._held, []
        for one in held:
            one.close()


class _Waiting:
    """What is waited for."""

    def __init__(self, found: Deferred[Any]) -> None:
        self.close: Callable[[], None] = found.cancel


@implementer(ILine)
class Borrowed:
    """A line, in the hands of one session."""

    def __init__(self, daemon: Daemon, line: Line) -> None:
        self.address = line.address
        self.uses = line.uses
        self.notes = line.notes
        self._daemon = daemon
        self._line: Line | None = line

    def send(self, data: bytes) -> None:
        """See L{ILine.send}."""
        if self._line is not None:
            self._line.send(data)

    def flushed(self) -> Deferred[None]:
        """See L{ILine.flushed}."""
        return succeed(None) if self._line is None else self._line.flushed()

    def read(self) -> Deferred[bytes]:
        """See L{ILine.read}."""
        return succeed(b"") if self._line is None else self._line.read()

    def limit(self, connections: int) -> None:
        """See L{ILine.limit}."""
        self._daemon.limit(connections)

    def works(self) -> None:
        """See L{ILine.works}."""
        if self._line is not None:
            self._daemon.works(self._line)

    def keep(self) -> None:
        """See L{ILine.keep}."""
        line, self._line = self._line, None
        if line is not None:
            self._daemon.keep(line)

    def drop(self, fault: str = "") -> None:
        """See L{ILine.drop}."""
        line, self._line = self._line, None
        if line is not None:
            self._daemon.drop(line, fault)

    def close(self) -> None:
        """The session is over."""
        self.drop()

"""
An Approach is how a session comes to its server.

It knows where the server may be and from where it is to be gone to, makes one attempt at a
time, or has the server come by itself, and remembers what came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred

from gateway.interfaces import Address, Unreachable
from gateway.kernel import sockets
from gateway.kernel.sockets import Socket
from gateway.observe.identity import Upstream
from gateway.policy.service import Target
from gateway.session import guard
from gateway.session.equipment import Equipment
from gateway.session.expectation import Expectation
from gateway.session.joining import Joining
from gateway.wire.connector import Opening, Origin, Reached


class Held(NamedTuple):
    """A connection to the server that is there already, and between whom it is."""

    socket: Socket
    client: Address
    server: Address


class Approaching(guard.Guarded, Protocol):
    """A session that comes to its server."""

    def server_came(self, sock: Socket) -> None:
        """The server is there; whoever asked has not heard of it yet."""

    def server_missed(self) -> None:
        """There is none; whoever asked has not heard of that yet."""

    def server_told(self) -> None:
        """Whoever asked has heard what came of it."""


class Approach:
    """
    One session's way to its server.

    @param service: the service's name.
    @ivar targets: where the server may be, if nobody says anything else.
    @ivar origin: where the connection comes from.
    @ivar upstream: how the server, the last one, was reached; C{None}: there was none.
    """

    __slots__ = (
        *("_asked", "_began", "_equipment", "_held", "_opening", "_service", "_session"),
        *("origin", "targets", "upstream"),
    )

    def __init__(
        self,
        equipment: Equipment,
        service: str,
        targets: Sequence[Target | Address],
        origin: Origin,
    ) -> None:
        self._equipment = equipment
        self._service = service
        self.targets = targets
        self.origin = origin
        self.upstream: Upstream | None = None
        self._held: Held | None = None
        self._opening: Opening | Joining | None = None
        # Only while it is under way: the session knows its approach.
        self._asked: Deferred[Address] | None = None
        self._session: Approaching | None = None
        self._began = 0.0

    def begin(self, session: Approaching, address: Address | None) -> Deferred[Address]:
        """
        Go to C{address}, or to the targets in turn.

        @return: fires with what was reached, or fails with L{Unreachable}, which C{session}
            handles if nobody else does.
        """
        asked = self._ask(session)
        targets = self.targets if address is None else (address,)
        held = None if self._held is None else self._take_held(targets)
        opening = self._equipment.connector.open(
            targets, self.origin, self._came, self._missed, held
        )
        if self._asked is not None:
            self._opening = opening
        return asked

    def hold(self, held: Held) -> None:
        """The server is there already, if it is that one to which the session goes first."""
        self._held = held

    def _take_held(self, targets: Sequence[Target | Address]) -> Socket | None:
        """The connection that is there already, if that is the one that is wanted."""
        held, self._held = self._held, None
        if held is None:
            return None
        if targets[0] == held.server and self.origin.address == held.client:
            return held.socket
        sockets.reset(held.socket)
        return None

    def _reset_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            sockets.reset(held.socket)

    def join(self, session: Approaching, expectation: Expectation) -> Deferred[Address]:
        """Have the server come by itself, as it was announced; otherwise as L{begin}."""
        self._reset_held()
        asked = self._ask(session)
        self.origin = Origin(None)
        opening = Joining(expectation, self._came, self._missed)
        opening.start()
        if self._asked is not None:
            self._opening = opening
        return asked

    def _ask(self, session: Approaching) -> Deferred[Address]:
        asked = self._asked = guard.promise()
        self._session = session
        self._began = self._equipment.clock.seconds()
        return asked

    def expire(self) -> None:
        """The present attempt has taken too long: on to the next target, if there is one."""
        if self._opening is not None:
            self._opening.expire()

    def abandon(self) -> None:
        """Nobody wants to go there any more. Whoever asked never hears of it."""
        if self._held is not None:
            self._reset_held()
        opening, self._opening = self._opening, None
        self._asked = self._session = None
        if opening is not None:
            opening.abandon()

    def _came(self, reached: Reached) -> None:
        asked, self._asked = self._asked, None
        session, self._session = self._session, None
        assert session is not None
        self._opening = None
        self.upstream = self._measured(reached)
        session.server_came(reached.socket)
        if self._asked is not None:
            return  # that server was lost at once, and the next one is on its way
        if asked is not None and not session.ending:
            asked.callback(reached.server)
            if asked.result is not reached.server:  # somebody has made something of it
                asked.addErrback(guard.failed, session)
        session.server_told()

    def _measured(self, reached: Reached) -> Upstream:
        _, server, source, port_kept, attempts = reached
        metrics = self._equipment.metrics
        seconds = self._equipment.clock.seconds() - self._began
        if attempts:
            metrics.connected(self._service, seconds)
        if not port_kept and self.origin.wants_port:
            metrics.fallback(self._service)
        connections = 1 if self.upstream is None else self.upstream.connections + 1
        return Upstream(server, source, port_kept, seconds, attempts, connections)

    def _missed(self, why: str) -> None:
        if self._opening is None:  # at once: whoever asked could not listen to the answer yet
            self._equipment.clock.callLater(0, self._tell_missed, why)
        else:
            self._tell_missed(why)

    def _tell_missed(self, why: str) -> None:
        asked, self._asked = self._asked, None
        session, self._session = self._session, None
        self._opening = None
        if asked is None or session is None:
            return
        self._equipment.metrics.unreachable(self._service)
        session.server_missed()
        asked.errback(Unreachable(why))
        asked.addErrback(guard.failed, session)
        session.server_told()

"""
The Register: all sessions that are running.

Everything that is counted over several sessions is counted here and nowhere
else: when there are several processes one day, this is the place to share.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from gateway.observe.identity import Identity
from gateway.session.equipment import Equipment

DESCRIPTORS_EACH = 2
"""Descriptors of a session: one for each side. Both are reserved before accepting."""

RETRY = 1.0
"""Seconds after which a listener that waits tries again, whatever it waits for."""


class Running(Protocol):
    """A session, of streams or of datagrams."""

    identity: Identity

    def stopping(self) -> None:
        """The gateway stops soon: end, if there is no end of its own to wait for."""

    def stop(self) -> None:
        """End now."""


class Waiting(Protocol):
    """A listener that waits for room."""

    def resume(self) -> None:
        """There is room again."""


class Register:
    """
    The running sessions, and who waits for room.

    @ivar most: how many there may be.
    @ivar descriptors: how many descriptors they may use together.
    @ivar announced: connections that are announced and not there yet; each may have a descriptor.
    """

    def __init__(self, equipment: Equipment, most: int, descriptors: int) -> None:
        self.most = most
        self.descriptors = descriptors
        self.running: dict[int, Running] = {}
        self.announced = 0
        self._equipment = equipment
        self._by_client: dict[str, int] = defaultdict(int)
        self._by_service: dict[str, int] = defaultdict(int)
        self._by_both: dict[tuple[str, str], int] = defaultdict(int)
        self._waiting: set[Waiting] = set()
        self._emptied: Deferred[None] | None = None
        # Unique in this process, nearly so among restarts, and exact as a JavaScript number.
        self._numbers = count(int(equipment.clock.seconds()) << 20)

    # Counts

    def number(self) -> int:
        """The id of the next session."""
        return next(self._numbers)

    def of_client(self, host: str) -> int:
        """How many sessions a client has."""
        return self._by_client.get(host, 0)

    def of_service(self, service: str) -> int:
        """How many sessions a service has."""
        return self._by_service.get(service, 0)

    def of_both(self, host: str, service: str) -> int:
        """How many sessions of a service a client has."""
        return self._by_both.get((host, service), 0)

    def enter(self, session: Running) -> None:
        """A session begins."""
        identity = session.identity
        host, service = identity.client.host, identity.service
        self.running[identity.id] = session
        self._by_client[host] += 1
        self._by_service[service] += 1
        self._by_both[host, service] += 1
        self._equipment.metrics.started(service, identity.rule)

    def leave(self, session: Running) -> None:
        """A session is over."""
        identity = session.identity
        if self.running.pop(identity.id, None) is None:
            return
        host, service = identity.client.host, identity.service
        _decrement(self._by_client, host)
        _decrement(self._by_service, service)
        _decrement(self._by_both, (host, service))
        if self._waiting:
            self.give_room()
        if self._emptied is not None and not self.running:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    # Room

    @property
    def room(self) -> bool:
        """Whether one more session can be accepted. If not, connections wait in the kernel."""
        return (
            len(self.running) < self.most
            and self.has_descriptors
            and not self._equipment.audit.refusing
        )

    @property
    def has_descriptors(self) -> bool:
        """Whether there are enough for one more session."""
        with_sockets = len(self.running) - self._equipment.passages.carried
        used = DESCRIPTORS_EACH * with_sockets + self.announced
        return used + DESCRIPTORS_EACH <= self.descriptors

    def wait(self, listener: Waiting) -> None:
        """Resume C{listener} as soon as there is room."""
        self._waiting.add(listener)
        self._equipment.ticker.after(RETRY, self)

    def check_time(self) -> None:
        """Whoever waits may do so for something that nobody tells us of, such as memory."""
        self.give_room()
        if self._waiting:
            self._equipment.ticker.after(RETRY, self)

    def give_room(self) -> None:
        """Some room may have come: those who wait may go on."""
        if self._waiting and self.room:
            waiting, self._waiting = self._waiting, set()
            for listener in waiting:
                listener.resume()

    # The end

    def stopping(self) -> None:
        """Tell all sessions that the gateway stops soon."""
        for session in tuple(self.running.values()):
            session.stopping()

    def drain(self) -> Deferred[None]:
        """Fires when no session is left."""
        if not self.running:
            return succeed(None)
        if self._emptied is None:
            self._emptied = Deferred()
        return self._emptied

    def stop(self) -> None:
        """End all sessions now."""
        self._waiting.clear()
        for session in tuple(self.running.values()):
            session.stop()


def _decrement(counts: dict[Any, int], key: Any) -> None:
    """Count down, and forget what is at zero, so that the counts do not grow for ever."""
    left = counts[key] - 1
    if left > 0:
        counts[key] = left
    else:
        del counts[key]

"""
The Register: all sessions that are running.

Everything that is counted over several sessions is counted here and nowhere
else, in L{Counts<gateway.counts>} that other workers may share.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from gateway.counts import Key, Together
from gateway.observe.identity import Identity
from gateway.observe.snapshot import Snapshot
from gateway.observe.story import Story
from gateway.session.equipment import Equipment

DESCRIPTORS_EACH = 2
"""Descriptors of a session: one for each side. Both are reserved before accepting."""

RETRY = 1.0
"""Seconds after which a listener that waits tries again, whatever it waits for."""


KEPT = 4096
"""Clients' keys that are remembered, before they are all made anew."""

ALL: tuple[Key] = (("all",),)
"""The key of all sessions."""


class Running(Protocol):
    """A session, of streams or of datagrams."""

    identity: Identity

    def snapshot(self) -> Snapshot:
        """What there is to see of it; cheap, as all sessions are looked at."""

    def story(self) -> Story:
        """All that there is to tell of it."""

    def kill(self, why: str) -> None:
        """The operator wants it to end now, with a reset to both sides."""

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
    @ivar draining: none is to begin any more: connections wait, as if there were no room.
    @ivar announced: connections that are announced and not there yet; each may have a descriptor.
    """

    def __init__(self, equipment: Equipment, most: int, descriptors: int) -> None:
        self.most = most
        self.descriptors = descriptors
        self.running: dict[int, Running] = {}
        self.announced = 0
        self.draining = False
        self._equipment = equipment
        self._counts = equipment.counts
        self._claimed = False
        self._taken: Identity | None = None
        self._together: dict[tuple[str, str], Together] = {}
        self._waiting: set[Waiting] = set()
        self._emptied: Deferred[None] | None = None

    # Counts

    def number(self) -> int:
        """The id of the next session."""
        return next(self._equipment.numbers)

    def claim(self) -> bool:
        """
        Take room for one more session before it is accepted, if there is some. If not, connections
        wait in the kernel. What comes of it is entered, or L{unclaim} gives it back.
        """
        if self.draining or not self.has_descriptors or self._equipment.audit.refusing:
            return False
        if not self._claimed:
            self._claimed = self._counts.take(ALL, (self.most,)) < 0
        return self._claimed

    def unclaim(self) -> None:
        """Give back what was claimed, or taken, and is not entered."""
        if self._claimed:
            self._claimed = False
            self._counts.less(ALL)
        self._untake()

    def take(self, identity: Identity, of_client: int, of_service: int, of_both: int) -> int:
        """
        Count one more session, which is to be entered next.

        @param of_client: how many its client may have; 0: no limit.
        @param of_service: how many there may be of its service.
        @param of_both: how many its client may have of its service.
        @return: -1; or which of these limits is reached, and it isn't counted.
        """
        if self._taken is not None:
            self._untake()
        reached = self._counts.take(self._keys(identity), (of_client, of_service, of_both))
        if reached < 0:
            self._taken = identity
        return reached

    def _keys(self, identity: Identity) -> Together:
        """What a session counts for."""
        who = host, service = identity.client.host, identity.service
        keys = self._together.get(who)
        if keys is None:
            if len(self._together) >= KEPT:
                self._together.clear()
            keys = self._together[who] = Together(
                (("client", host), ("service", service), ("both", host, service))
            )
        return keys

    def _untake(self) -> None:
        """That session does not begin."""
        if self._taken is not None:
            self._counts.less(self._keys(self._taken))
            self._taken = None

    def enter(self, session: Running, begins: bool = True) -> None:
        """
        A session is there: one that room was claimed and counts were taken for, or another one.

        @param begins: it was brought by its rule just now.
        """
        identity = session.identity
        if self._taken is identity:
            self._taken = None
        else:
            self._counts.add(self._keys(identity))
        if self._claimed:
            self._claimed = False
        else:
            self._counts.add(ALL)
        self.running[identity.id] = session
        rule = identity.rule if begins else None
        self._equipment.metrics.started(identity.service, rule)

    def leave(self, session: Running) -> None:
        """A session is over."""
        identity = session.identity
        if self.running.pop(identity.id, None) is None:
            return
        self._counts.less(self._keys(identity))
        self._counts.less(ALL)
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
            not self.draining
            and self._counts.of(ALL[0]) < self.most
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

"""
Parties: the processes of a gateway that have sessions released, each its own.

A worker that is gone leaves its sessions to the others, and so does one that leaves: each session
has one I{holder} at a time, who is told how it ended, and records that. What nobody holds
waits here for the next one who accepts sessions. Ports of released sessions are told to
all, since any of them might choose one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable
from itertools import islice
from typing import Any

from gateway.kernel.release.carrier import Carrier
from gateway.kernel.release.overlap import Ends

AWAITED = 5.0
"""
Seconds after the carrier's begin in which the holder of a session may come back for it: several
times as long as it takes one that lives.
"""

BACKLOG = 100_000
"""
Messages that are kept for a process that does not listen, and ends of sessions for a gateway that
is not there, at most; but see L{backlog}.
"""

TOGETHER = 60
"""Ports that are told in one message."""

Message = dict[str, Any]
Port = tuple[int, str, int, str, int]
"""A session's index, the source that the server sees, and the server."""

Tell = Callable[[Message], object]


def backlog(sessions: int) -> int:
    """
    How many messages are kept: all that is told of each session, from C{yours} to C{forgotten}, for
    all may be given to one process, or end, at once.

    @param sessions: how many there may be.
    """
    return max(BACKLOG, 4 * sessions)


class Party:
    """
    One process.

    @param tell: tells it something, sooner or later.
    @ivar name: what it calls itself; empty: it has not said so yet.
    @ivar accepts: whether it takes over sessions of others.
    @ivar leaves: whether it wants others to take over its own.
    @ivar had: the sessions that it may name: its own, and those that were.
    """

    def __init__(self, parties: Parties, tell: Tell) -> None:
        self._parties = parties
        self.tell = tell
        self.name = ""
        self.accepts = False
        self.leaves = False
        self.had: set[int] = set()

    def may_name(self, index: int) -> bool:
        """Whether a session is, or was, its own."""
        return index in self.had

    def greet(self, name: str) -> int:
        """
        It says who it is, and hears of its sessions, and of everybody's ports.

        @return: how many sessions it has.
        """
        self.name = name
        return self._parties.greet(self)

    def took(self, index: int, ends: Ends) -> list[Port]:
        """
        It has a session that is being released.

        @return: the port that is not free any more: for its answer, as the others are told.
        """
        return self._parties.took(self, index, ends)

    def accept(self) -> None:
        """It takes over sessions of others."""
        self.accepts = True
        self._parties.share()

    def leave(self) -> None:
        """Others are to take over its sessions."""
        self.accepts, self.leaves = False, True
        self._parties.share()


class Parties:
    """
    All of them.

    @param keeps: whether sessions outlive the gateway: whoever leaves need not wait for a
        successor.
    @param now: seconds of the monotonic clock.
    @param most: how many ends of sessions are kept that nobody has heard of.
    """

    def __init__(self, keeps: bool, now: Callable[[], float], most: int = BACKLOG) -> None:
        self._keeps = keeps
        self._now = now
        self._until = now() + AWAITED
        self._all: list[Party] = []
        self._holders: dict[int, Party] = {}
        self._awaited: dict[int, str] = {}
        self._orphans: set[int] = set()
        self._unheard: deque[Message] = deque(maxlen=most)
        self._names = {""}

    def begin(self, carrier: Carrier) -> None:
        """
        With what a former carrier has left.

        @param carrier: of whom L{hear} is told.
        """
        self._carrier = carrier
        for released in map(carrier.released, carrier.there):
            assert released is not None
            self._awaited[released.index] = released.story.holder

    def turn(self) -> None:
        """Time has passed."""
        if self._until and self._now() >= self._until:
            self._until = 0.0
            self._orphans.update(self._awaited)
            self._awaited.clear()
            self._names.clear()
            self.share()

    def __len__(self) -> int:
        return len(self._all)

    # Who comes and goes

    def come(self, tell: Tell) -> Party:
        """Somebody is there, and hears that nobody knows what it asked before."""
        party = Party(self, tell)
        self._all.append(party)
        tell({"began": True, "keeps": self._keeps})
        return party

    def lose(self, party: Party, unheard: Iterable[Message]) -> None:
        """
        Somebody is gone.

        @param unheard: what it was not told any more.
        """
        self._all.remove(party)
        self._unheard.extend(message for message in unheard if "over" in message)
        held = self._of(party)
        for index in held:
            del self._holders[index]
        self._carrier.abandon(held)
        self._orphans.update(index for index in held if self._carrier.released(index) is not None)
        self.share()

    def _of(self, party: Party) -> list[int]:
        return [index for index in party.had if self._holders.get(index) is party]

    # What they ask

    def greet(self, party: Party) -> int:
        """See L{Party.greet}."""
        if self._until:
            self._names.add(party.name)
        ports = (_port(index, ends) for index, ends in self._carrier.ends())
        while some := list(islice(ports, TOGETHER)):
            party.tell({"taken": some})
        own = [index for index, name in self._awaited.items() if name == party.name]
        for index in own:
            del self._awaited[index]
            self._give(index, party)
        self._tell_unheard(party, {party.name})
        return len(own)

    def took(self, party: Party, index: int, ends: Ends) -> list[Port]:
        """See L{Party.took}."""
        self._holders[index] = party
        party.had.add(index)
        taken = [_port(index, ends)]
        for each in self._all:
            if each is not party and each.name:
                each.tell({"taken": taken})
        return taken

    def share(self) -> None:
        """Have those who accept sessions take over what somebody has left."""
        takers = [party for party in self._all if party.accepts]
        if takers or self._keeps:
            for party in self._all:
                if party.leaves:
                    self._part(party)
        if takers and self._orphans:
            held = {taker: len(self._of(taker)) for taker in takers}
            while self._orphans:
                taker = min(takers, key=held.__getitem__)
                held[taker] += 1
                self._give(self._orphans.pop(), taker)
        if takers and self._unheard:
            self._tell_unheard(takers[0], self._names)

    def _tell_unheard(self, party: Party, names: Container[str]) -> None:
        """Those ends that these have not heard; whose holder may come back waits for that."""
        unheard, self._unheard = self._unheard, deque(maxlen=self._unheard.maxlen)
        for message in unheard:
            if message["holder"] in names or not self._until:
                party.tell(message)
            else:
                self._unheard.append(message)

    def _part(self, party: Party) -> None:
        """Nobody holds what this one has; not yet what still has sockets."""
        there = self._carrier.released
        for index in [each for each in self._of(party) if there(each) is not None]:
            del self._holders[index]
            self._orphans.add(index)
            party.tell({"left": index})

    def _give(self, index: int, party: Party) -> None:
        released = self._carrier.released(index)
        if released is None:
            return
        if released.story.holder != party.name:
            self._carrier.give(index, party.name)
        self._holders[index] = party
        party.had.add(index)
        party.tell({"yours": index, "told": released.story.told})

    # What the carrier tells

    def hear(self, message: Message) -> None:
        """See L{Carrier}: whoever has to do with it hears it."""
        if "over" in message:
            self._over(message)
        elif "forgotten" in message:
            self._forgotten(message)
        elif "trouble" in message:
            for party in self._all[:1]:
                party.tell(message)
        else:
            self._told_to_holder(message)

    def _over(self, message: Message) -> None:
        index = message["over"]
        self._awaited.pop(index, None)
        self._orphans.discard(index)
        holder = self._holders.pop(index, None)
        if holder is not None:
            holder.tell(message)
        else:
            self._unheard.append(message)

    def _forgotten(self, message: Message) -> None:
        for party in self._all:
            party.had.discard(message["forgotten"])
            if party.name:
                party.tell(message)

    def _told_to_holder(self, message: Message) -> None:
        gone = "gone" in message
        holder = self._holders.get(message["gone" if gone else "settled"])
        if holder is None:
            return
        holder.tell(message)
        if gone and holder.leaves:
            self.share()


def _port(index: int, ends: Ends) -> Port:
    """What is not free."""
    return index, *ends.source, *ends.server

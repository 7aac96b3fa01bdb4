"""Passages: all sessions that the kernel has of this gateway, and those of one before it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gateway.interfaces import Address, Outcome, Verdict
from gateway.kernel.release.legs import Option, leg_of
from gateway.kernel.sockets import Socket
from gateway.policy.connection import Connection
from gateway.policy.connection import Protocol as Transport
from gateway.policy.policy import Policy
from gateway.policy.service import Action
from gateway.release.carriage import Carriage, Message
from gateway.release.passage import LOST, Legs, NoPassage, Passage, Passenger, Stays
from gateway.release.ports import Ports
from gateway.release.told import Told

log = Logger()


TOGETHER = 0.1
"""Seconds in which sessions are taken over that the operator is told of at once."""

MOST_COUNTED = 250
"""Sessions that are asked for at once."""


class Counted(NamedTuple):
    """What the kernel has carried of a session, and for how many seconds there was nothing."""

    to_server: int
    to_client: int
    idle: float


class Carried(Protocol):
    """A session that the kernel has, or nearly: this gateway's, or a former one's."""

    def told(self) -> Told:
        """What the carrier keeps of it."""

    def settled(self) -> None:
        """The sockets have nothing to deliver any more."""

    def gone(self) -> None:
        """They will close without a word."""

    def begun_anew(self) -> None:
        """The carrier is another one."""

    def left(self) -> None:
        """Somebody else accounts for it."""

    def over(self, message: Message) -> None:
        """It has ended."""

    def end(self, verdict: Verdict) -> bool:
        """End it."""


class Passages:
    """
    @param again: connects to a carrier that is a service of its own; C{None}: it ends with us.
    @param seconds: from a session's release until the kernel is asked.
    @param ports: what knows the ports that no socket has.
    @param adopt: makes a session of what a former gateway has told of one.
    @param counted: is told when the kernel alone has one session more, or less (-1).
    @param room: called when sessions have given their sockets back.
    @ivar carried: sessions that have no sockets.
    @cvar asked: whether the kernel is asked at all.
    """

    asked = True

    def __init__(
        self,
        reactor: Any,
        again: Callable[[], socket.socket] | None,
        seconds: float,
        ports: Ports,
        adopt: Callable[[Passages, int, Told], Carried],
        room: Callable[[], object],
        counted: Callable[[int], object] = lambda more: None,
    ) -> None:
        self._carriage = Carriage(reactor, again, self._hear, self._begun, self._note)
        self._name = os.urandom(16).hex()
        self._reactor = reactor
        self._seconds = seconds
        self._ports = ports
        ports.glance = self._carriage.glance
        self._make_adopted = adopt
        self._room = room
        self._counted = counted
        self._known: dict[int, Carried] = {}
        self._finished: set[int] = set()
        self._ends: dict[int, tuple[Address, Address]] = {}
        self._ids: dict[int, int] = {}
        self._unseen: set[int] = set()
        self._unanswered: set[int] = set()
        self._adopted = 0
        self._stands = ""
        self._policy: Policy | None = None
        self.outlives = False
        self.carried = 0

    # The carrier

    def open(self, connection: socket.socket | None) -> None:
        """
        Begin with a carrier that was started for us, or reach that which is a service as soon
        as it is there. It blocks: for before the reactor runs.

        @raise gateway.release.carriage.CarrierError: it can't do its work.
        """
        if connection is None:
            self._carriage.reach()
        else:
            self._carriage.greet(connection)

    def close(self) -> None:
        """End the connection."""
        self._carriage.stop()

    def _begun(self, greeting: Message | None) -> None:
        """A carrier that knows nothing of us but what the kernel has; or none any more."""
        if greeting is None:
            self._stand()
            return
        self.outlives = bool(greeting.get("keeps"))
        for known in tuple(self._known.values()):
            known.begun_anew()
        self._unseen = {*self._known, *self._ids, *self._finished}

        def greeted(answer: Message | None) -> None:
            if answer is not None:
                self._looked()

        self._carriage.ask({"ask": "greet", "name": self._name}, greeted)
        self._stand()

    def accept(self) -> None:
        """From now on, take over sessions that the kernel has and nobody accounts for."""
        self._stands = "accept"
        self._stand()

    def leave(self) -> None:
        """Sessions that the kernel has are somebody else's from now on, as soon as that can be."""
        self._stands = "leave"
        self._stand()

    def _stand(self) -> None:
        if self._carriage.greeted:
            if self._stands:
                self._carriage.say({"ask": self._stands})
        elif self._stands == "leave" and self.outlives:
            for index in tuple(self._known):
                self._left(index)

    def _looked(self) -> None:
        """What the carrier does not have is nowhere."""
        unseen, self._unseen = self._unseen, set()
        for index in unseen:
            known = self._known.get(index)
            if known is not None:
                known.over({"how": LOST, "bytes_to_server": 0, "bytes_to_client": 0})
            self._forgotten(index)
        self._unanswered.clear()

    def _yours(self, index: int, told: Any) -> None:
        """A session of ours that the carrier knows; or of somebody who is gone."""
        self._unseen.discard(index)
        if index in self._finished:  # of which a former carrier has not heard
            self._kill(index)
        elif index not in self._known:
            adopted = self._adopt(index, told)
            if adopted is not None:
                self._tell_later()
                self._end_denied(adopted)

    def _tell_later(self) -> None:
        """Tell the operator, of many at once."""
        self._adopted += 1
        if self._adopted == 1:
            self._reactor.callLater(TOGETHER, self._tell_adopted)

    def _tell_adopted(self) -> None:
        adopted, self._adopted = self._adopted, 0
        log.info("the kernel has {count} sessions of a former gateway, or worker", count=adopted)

    def _left(self, index: int) -> None:
        """Somebody else accounts for a session."""
        known = self._known.pop(index, None)
        self._ids.pop(index, None)
        if known is not None:
            self._carry(-1)
            known.left()

    def _adopt(self, index: int, told: Any) -> Carried | None:
        try:
            read = Told.read(told)
        except ValueError as error:
            log.error(
                "a session that the kernel has can't be accounted for: {error}; it is ended",
                error=error,
            )
            self._drop(index)
            return None
        if read.id in self._unanswered:  # it has its record
            self._drop(index)
            return None
        self._take(index, read)
        self._carry(1)
        adopted = self._known[index] = self._make_adopted(self, index, read)
        return adopted

    def _drop(self, index: int) -> None:
        """Nothing is recorded of it any more."""
        self._finished.add(index)
        self._kill(index)

    # What sessions ask

    def begin(self, session: Passenger, legs: Legs) -> Passage | NoPassage:
        """A session was released."""
        return Passage(self, session, legs, self._seconds)

    def stays(self, why: str) -> NoPassage:
        """A session was released that can't be anywhere else than in the gateway."""
        return Stays(why)

    def is_bare(self, client: Socket) -> bool:
        """Whether the server's leg is to have no timestamps, as the client's has none."""
        return not leg_of(client).options & Option.TIMESTAMPS

    def reloaded(self, policy: Policy | None) -> None:
        """
        End those that a policy denies.

        @param policy: C{None}: none is ended.
        """
        self._policy = policy
        for known in tuple(self._known.values()):
            self._end_denied(known)

    def _end_denied(self, known: Carried) -> None:
        why = "" if self._policy is None else _denied(self._policy, known.told())
        if why:
            known.end(Verdict(Outcome.DENIED, why))

    # What the operator asks

    def count(self, wanted: Collection[int]) -> Deferred[dict[int, Counted]]:
        """
        What the kernel has carried of sessions.

        @param wanted: their ids.
        @return: fires with what the carrier knows; never fails.
        """
        left = [(index, each) for index, each in self._ids.items() if each in wanted]
        counted: Deferred[dict[int, Counted]] = Deferred()
        self._count(left, {}, counted)
        return counted

    def _count(
        self,
        left: list[tuple[int, int]],
        found: dict[int, Counted],
        counted: Deferred[dict[int, Counted]],
    ) -> None:
        """Ask for the next ones."""
        asked, left = left[:MOST_COUNTED], left[MOST_COUNTED:]

        def heard(answer: Message | None) -> None:
            if answer is None:
                counted.callback(found)
                return
            for (_, each), counts in zip(asked, answer["counts"], strict=True):
                if counts is not None:
                    found[each] = Counted(*counts)
            self._count(left, found, counted)

        indices = [index for index, _ in asked]
        if not asked or not self._carriage.ask({"ask": "counts", "indices": indices}, heard):
            counted.callback(found)

    def _carry(self, more: int) -> None:
        """The kernel alone has one session more, or less."""
        self.carried += more
        self._counted(more)

    # What passages ask

    def switch(
        self, passage: Passage, legs: tuple[Socket, Socket], pending: tuple[int, int]
    ) -> None:
        """See L{gateway.release.passage.Conveyor}."""
        told = passage.told()
        asked = {
            "ask": "switch",
            "pending": pending,
            "idle": told.idle,
            "told": told.written(),
        }

        def heard(answer: Message | None) -> None:
            """The carrier has it now, or will not have it; or nobody knows."""
            index = -1 if answer is None else int(answer.get("index", -1))
            if index >= 0:
                self._take(index, told)
                if not passage.holds:
                    self._drop(index)
                    return
                self._known[index] = passage
            elif answer is None:  # so that it ends, and the carrier may have it
                self._unanswered.add(told.id)
            passage.switched(answer)

        if not self._carriage.ask(asked, heard, [leg.fileno() for leg in legs]):
            passage.switched({"stays": "there is no carrier", "again": True})

    def let_go(self, passage: Passage) -> None:
        """See L{gateway.release.passage.Conveyor}."""
        sent = {"sent": list(passage.told().sent)}
        self._carriage.say({"ask": "let_go", "index": passage.index, "told": sent})

    def kill(self, carried: Passage | Numbered) -> None:
        """End it, if there is a carrier that can."""
        if carried.index >= 0:
            self._kill(carried.index)

    def _kill(self, index: int) -> None:
        self._carriage.say({"ask": "kill", "index": index})

    def left(self, passage: Passage) -> None:
        """See L{gateway.release.passage.Conveyor}."""
        self._carry(1)
        self._room()

    def over(self, passage: Passage | Numbered, was_carried: bool) -> None:
        """See L{gateway.release.passage.Conveyor}."""
        if was_carried:
            self._carry(-1)
        if self._known.pop(passage.index, None) is not None:
            self._finished.add(passage.index)

    # What the carrier says

    def _hear(self, message: Message) -> None:
        if "settled" in message:
            self._with(message["settled"], lambda known: known.settled())
        elif "gone" in message:
            self._with(message["gone"], lambda known: known.gone())
        elif "over" in message:
            self._over(message)
        elif "forgotten" in message:
            self._forgotten(message["forgotten"])
        elif "yours" in message:
            self._yours(message["yours"], message["told"])
        elif "left" in message:
            self._left(message["left"])
        elif message.get("switched"):  # asked of one that was killed, done by the next one
            self._kill(message["index"])
        elif "trouble" in message:
            log.error("the carrier: {trouble}", trouble=message["trouble"])

    def _with(self, index: int, tell: Callable[[Carried], None]) -> None:
        known = self._known.get(index)
        if known is not None:
            tell(known)

    def _over(self, message: Message) -> None:
        index = int(message["over"])
        if index in self._finished:
            return
        known = self._known.get(index)
        if known is None:  # one that ended before anybody asked for it
            known = self._adopt(index, message["told"])
        if known is not None:
            known.over(message)

    def _take(self, index: int, told: Told) -> None:
        self._finished.discard(index)
        self._unseen.discard(index)
        self._ids[index] = told.id

    def _forgotten(self, index: int) -> None:
        self._finished.discard(index)
        self._ids.pop(index, None)

    def _note(self, message: Message) -> None:
        """Of all that the carrier says: which ports are not free, though no socket has them."""
        if "began" in message:
            for index in tuple(self._ends):
                self._free(index)
        elif "forgotten" in message:
            self._free(message["forgotten"])
        else:
            for index, host, port, *server in message.get("taken", ()):
                self._free(index)
                ends = self._ends[index] = Address(host, port), Address(*server)
                self._ports.take(*ends)

    def _free(self, index: int) -> None:
        ends = self._ends.pop(index, None)
        if ends is not None:
            self._ports.give_back(*ends)


class Numbered(Protocol):
    """Whoever the carrier knows by a number."""

    index: int


def _denied(policy: Policy, told: Told) -> str:
    """Why a policy does not have a session; empty if it does. An announced one is its parent's."""
    if told.parent:
        return ""
    asked = Connection(told.client, told.server, Transport.TCP, told.interface or None)
    rule = policy.decide(asked)
    if rule is None or policy.services[rule.service].action is not Action.DENY:
        return ""
    return f"denied since a reload, by {rule.place.at_line}"

"""Inspectors for random lives: one that relays, and one that asks for whatever there is."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from gateway.agreement import Insecure
from gateway.inspector import Inspector
from gateway.interfaces import (
    CLIENT,
    SERVER,
    Address,
    Denied,
    ISession,
    Outcome,
    Side,
    Unreachable,
    Verdict,
)

LATE = b"<late>"
"""What is sent after the end: nobody may ever get it."""

ELSEWHERE = Address("203.0.113.77", 77)


class Bug(Exception):
    """A bug of the inspector's."""


class Course:
    """
    What the inspectors of one life have in common.

    @ivar honest: none of them has changed, left out or added anything.
    @ivar alone: the numbers of sessions that have asked for no server.
    @ivar floods: how often one of them has sent much at once.
    @ivar undecided: decisions that they wait for.
    @ivar expected: announced connections.
    @ivar made: all of them.
    """

    def __init__(self, chance: Random, log: Callable[[str], None]) -> None:
        self.chance = chance
        self.log = log
        self.honest = True
        self.alone: set[int] = set()
        self.floods = 0
        self.undecided: list[Deferred[None]] = []
        self.expected: list[Any] = []
        self.made: list[Watched] = []

    def decide(self) -> None:
        """One of the decisions is there."""
        decision = self.undecided.pop(self.chance.randrange(len(self.undecided)))
        if not decision.called:
            self.log("decided")
            decision.callback(None)

    def decision(self) -> Deferred[None]:
        decision: Deferred[None] = Deferred()
        self.undecided.append(decision)
        return decision


class Watched(Inspector):
    """Relays, and is sure of what it is told: started first, closed once and last."""

    def __init__(self, session: ISession, course: Course) -> None:
        super().__init__(session)
        self.course = course
        self.begun = False
        self.over = 0
        self.ended_sides: set[Side] = set()
        course.made.append(self)

    def started(self) -> Any:
        assert not self.begun
        self.begun = True
        return self.begin()

    def received(self, side: Side, data: bytes) -> Any:
        self.check(side)
        assert data
        return self.take(side, data)

    def ended(self, side: Side) -> Any:
        self.check(side)
        self.ended_sides.add(side)
        return self.end(side)

    def lost(self, side: Side, verdict: Verdict) -> Any:
        assert self.begun and not self.over, "told of a loss, before or after its life"
        return self.lose(side, verdict)

    def closed(self, verdict: Verdict) -> None:
        self.over += 1
        self.session.send(CLIENT, LATE)
        self.session.end(CLIENT)
        if self.course.chance.random() < 0.1:
            self.session.after(1.0, self.too_late)
            self.session.connect()
            self.session.close("once more")

    def too_late(self) -> None:
        raise AssertionError("called after the end")

    def check(self, side: Side) -> None:
        assert self.begun and not self.over, "told something before or after its life"
        assert side not in self.ended_sides, "told something after the end of that side"

    # What the others do otherwise

    def begin(self) -> Any:
        return super().started()

    def take(self, side: Side, data: bytes) -> Any:
        self.session.send(side.other, data)
        return None

    def end(self, side: Side) -> Any:
        self.session.end(side.other)
        return None

    def lose(self, side: Side, verdict: Verdict) -> Any:
        return None


class Patient(Watched):
    """Relays, and waits for a decision now and then."""

    def take(self, side: Side, data: bytes) -> Any:
        super().take(side, data)
        return self.course.decision() if self.course.chance.random() < 0.15 else None


class Released(Watched):
    """Relays by the shortest way."""

    def begin(self) -> Any:
        super().begin()
        if self.course.chance.random() < 0.5:
            self.session.release()

    def take(self, side: Side, data: bytes) -> Any:
        self.session.send(side.other, data)
        self.session.release()


class Odd(Watched):
    """Asks for anything at any time."""

    def begin(self) -> Any:
        chance = self.course.chance
        decision = self.odd(CLIENT) if chance.random() < 0.15 else None
        if chance.random() < 0.1:
            self.session.send(SERVER, b"early")
        if chance.random() < 0.8:
            connected = self.connect()
            return decision or connected
        self.course.honest = False
        self.course.alone.add(self.session.id)
        return decision or (self.course.decision() if chance.random() < 0.3 else None)

    def connect(self) -> Any:
        chance = self.course.chance
        connected = self.session.connect()
        if chance.random() < 0.3:
            connected.addErrback(self.unreachable)
        elif chance.random() < 0.2:
            return connected
        return None

    def unreachable(self, failure: Any) -> None:
        failure.trap(Unreachable)
        self.course.alone.add(self.session.id)
        if self.course.chance.random() < 0.7:
            self.session.send(CLIENT, b"unreachable")
            self.session.close("so it is", Outcome.FAILED)

    def take(self, side: Side, data: bytes) -> Any:
        self.session.send(side.other, data)
        return self.perhaps(side)

    def end(self, side: Side) -> Any:
        if side is SERVER and self.course.chance.random() < 0.3:
            return self.goes_on()
        self.session.end(side.other)
        return self.perhaps(side)

    def goes_on(self) -> Any:
        """With another server."""
        self.course.honest = False
        self.course.log("    another server")
        self.session.send(SERVER, b"to nobody")
        connected = self.session.connect()
        self.session.send(SERVER, b"once more")
        self.nobody_has_ended()
        return connected if self.course.chance.random() < 0.3 else None

    def nobody_has_ended(self) -> None:
        """As yet, of another server; which does not know of the client's end either."""
        self.ended_sides.discard(SERVER)
        if CLIENT in self.ended_sides:
            self.session.end(SERVER)

    def lose(self, side: Side, verdict: Verdict) -> Any:
        chance = self.course.chance.random()
        if side is SERVER and chance < 0.2:
            return self.goes_on()
        if chance < 0.3:
            return self.course.decision()
        if chance < 0.6:
            self.course.honest = False
            self.session.send(side.other, b"last words")
            self.session.close("lost", Outcome.FAILED)
        return None

    def perhaps(self, side: Side) -> Any:
        chance = self.course.chance.random()
        if chance < 0.15:
            return self.course.decision()
        return self.odd(side) if chance < 0.35 else None

    def odd(self, side: Side) -> Any:
        self.course.honest = False
        asked = self.course.chance.choice(_ODD)
        self.course.log(f"    {asked.__name__}")
        return asked(self, side)

    # What it may do

    def raises(self, side: Side) -> None:
        raise Denied("no", self.course.chance.choice([b"", b"bye"]))

    def denies(self, side: Side) -> None:
        self.session.deny("no", self.course.chance.choice([b"", b"bye"]))
        self.session.send(CLIENT, LATE)
        self.session.send(SERVER, LATE)

    def closes(self, side: Side) -> None:
        self.session.close("enough", self.course.chance.choice([Outcome.CLOSED, Outcome.FAILED]))
        self.session.send(side, LATE)

    def is_done(self, side: Side) -> None:
        self.session.done()
        self.session.send(side, LATE)

    def ends(self, side: Side) -> None:
        self.session.end(self.course.chance.choice([CLIENT, SERVER]))

    def releases(self, side: Side) -> None:
        self.session.release()

    def hands_over(self, side: Side) -> None:
        self.session.hand_over(self.course.chance.choice(["web", "other"]), {side: b"unread"})

    def flushes(self, side: Side) -> None:
        flushed = self.session.flushed(side.other)
        flushed.addCallback(lambda _: self.session.send(side, b"flushed"))

    def waits_flushed(self, side: Side) -> Any:
        return self.session.flushed(side.other)

    def gives_way(self, side: Side) -> Any:
        return self.session.give_way(side)

    def gives_way_to_send(self, side: Side) -> None:
        given = self.session.give_way(side)
        given.addCallback(lambda _: self.session.send(side.other, b"given"))

    def secures(self, side: Side) -> Any:
        """The peers speak no TLS: nothing is agreed on, ever."""
        agreed = self.session.secure(self.course.chance.choice([CLIENT, SERVER]))
        if self.course.chance.random() < 0.5:
            agreed.addErrback(self.insecure)
        return agreed if self.course.chance.random() < 0.5 else None

    def insecure(self, failure: Any) -> None:
        failure.trap(Insecure)
        self.course.alone.add(self.session.id)

    def sets_timer(self, side: Side) -> None:
        timer = self.session.after(3.0, lambda: self.session.send(side, b"time"))
        if self.course.chance.random() < 0.2:
            timer.cancel()

    def has_bug(self, side: Side) -> None:
        raise Bug

    def has_bug_later(self, side: Side) -> None:
        self.session.after(1.0, lambda: self.has_bug(side))

    def fails_decision(self, side: Side) -> Any:
        return self.course.decision().addCallback(lambda _: self.raises(side))

    def connects_again(self, side: Side) -> None:
        self.session.connect()
        self.nobody_has_ended()

    def goes_elsewhere(self, side: Side) -> Any:
        connected = self.session.connect(ELSEWHERE)
        self.nobody_has_ended()
        return connected if self.course.chance.random() < 0.5 else None

    def urges(self, side: Side) -> None:
        self.session.urge(side.other, b"urgent")

    def floods(self, side: Side) -> None:
        self.course.floods += 1
        for _ in range(5):
            self.session.send(self.course.chance.choice([CLIENT, SERVER]), bytes(60_000))

    def computes(self, side: Side) -> Any:
        return self.session.compute(lambda: 7)

    def computes_bug(self, side: Side) -> None:
        self.session.compute(lambda: self.has_bug(side))

    def expects(self, side: Side) -> Any:
        here = (self.session.server if side is CLIENT else self.session.client).host
        treatment: Any = self.course.chance.choice(["other", self.inspect, None])
        expected = self.session.expect(side, Address(here, 0), treatment)
        expected.addCallback(self.course.expected.append)
        return expected if self.course.chance.random() < 0.3 else None

    def joins(self, side: Side) -> Any:
        open_ones = [one for one in self.course.expected if not one.gone.called]
        if open_ones:
            return self.session.join(self.course.chance.choice(open_ones))
        return None

    def dials(self, side: Side) -> Any:
        peer = self.session.client if side is CLIENT else self.session.server
        treatment: Any = self.course.chance.choice(["other", self.inspect])
        dialed = self.session.dial(side, peer._replace(port=2000), treatment)
        if self.course.chance.random() < 0.2:
            dialed.cancel()
        return dialed if self.course.chance.random() < 0.3 else None

    def stacks(self, side: Side) -> None:
        body = self.session.stack("other", Sink(self.session, side.other))
        body.send(b"body")
        if self.course.chance.random() < 0.7:
            body.send(b"body")
        if self.course.chance.random() < 0.5:
            body.end()
        elif self.course.chance.random() < 0.3:
            body.cancel()

    def inspect(self, session: ISession) -> Inspector:
        """For an announced connection."""
        return Odd(session, self.course)


_ODD: tuple[Callable[[Odd, Side], Any], ...] = (
    *(Odd.raises, Odd.denies, Odd.closes, Odd.is_done, Odd.ends, Odd.releases, Odd.hands_over),
    *(Odd.flushes, Odd.waits_flushed, Odd.sets_timer, Odd.has_bug, Odd.has_bug_later),
    *(Odd.fails_decision, Odd.connects_again, Odd.goes_elsewhere, Odd.urges, Odd.floods),
    *(Odd.gives_way, Odd.gives_way_to_send, Odd.secures),
    *(Odd.computes, Odd.computes_bug, Odd.expects, Odd.joins, Odd.dials, Odd.stacks),
)


class Sink:
    """Sends on what comes out of a stacked inspector."""

    def __init__(self, session: ISession, side: Side) -> None:
        self.session = session
        self.side = side

    def received(self, data: bytes) -> None:
        self.session.send(self.side, data)

    def ended(self) -> None:
        """That was the body."""

    def denied(self, reason: str, reply: bytes, outcome: Outcome) -> None:
        self.session.deny(reason, reply)

    def flushed(self) -> Deferred[None]:
        return self.session.flushed(self.side)

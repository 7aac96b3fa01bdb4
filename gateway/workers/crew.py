"""
The crew: all workers, as the supervisor sees to them. In place of L{Traffic} of its own.

A worker that dies is replaced; what waits for it goes on waiting, and its successor takes it. If it
dies again and again, connections go to the others for a while. A new policy is for a new
generation of workers: they load it, and say so, before anything changes; the old ones go on as
long as they have sessions.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from gateway.control.everyone import Elsewhere
from gateway.life.fixed import unchangeable
from gateway.life.linger import Linger
from gateway.life.loaded import Loaded, count_of
from gateway.life.options import Places
from gateway.observe.audit import Audit
from gateway.observe.metrics import Metrics
from gateway.observe.sums import add_counts, state_of, without_present
from gateway.release.passage import NO_PASSAGES
from gateway.workers.chorus import Chorus
from gateway.workers.deaths import WITHIN, Deaths
from gateway.workers.estate import Estate
from gateway.workers.generation import Generation
from gateway.workers.hand import Hand
from gateway.workers.nursing import Newborn, NurseryError
from gateway.workers.origins import Origins
from gateway.workers.pulse import Pulse
from gateway.workers.spec import WorkerSpec

log = Logger()

AGAIN = 1.0
"""Seconds after which a worker that could not be started counts as one that has died."""

LEAVE_SECONDS = 2.0
"""For a worker to say that it accepts no more."""

PATIENCE = 10.0
"""Seconds beyond their time for workers to end, before they are killed."""


class Crew:
    """
    @param clock: seconds, for differences only.
    @param metrics: what is told beside the workers' numbers, and those of former workers.
    @ivar register: in place of one with sessions.
    """

    def __init__(
        self,
        reactor: Any,
        loaded: Loaded,
        places: Places,
        audit: Audit,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._directory = places.directory
        self._audit = audit
        self._metrics = metrics
        self._origins = Origins(places, loaded.policy.limits.sessions, reactor.seconds)
        self._columns, self._groups = self._origins.columns, self._origins.groups
        self._loaded = loaded
        self._generation: Generation | None = None
        self._next: Generation | None = None
        self._former: list[Generation] = []
        self.register = Elsewhere(lambda: self._present.loaded.policy.limits.sessions)
        self._deaths = Deaths(clock)
        self._chorus = Chorus(reactor, metrics, self._hands, lambda: self._present.hands)
        self.text, self.ask = self._chorus.text, self._chorus.ask
        self._stopping = False
        self._linger = Linger(reactor, self._settle)
        self._empty: list[Deferred[None]] = []
        self._pulse = Pulse(
            *(reactor, self._hands),
            lambda: self._columns.table.owner,
            lambda: self._present.loaded.policy.workers.silent_seconds,
        )

    # The beginning

    def open(self, owner: tuple[int, int] | None) -> None:
        """
        What needs privileges that are given up afterwards.

        @param owner: the user and group that the process will switch to, if any.
        @raise OSError: a port is taken, or something else can't be had.
        @raise gateway.tls.signing.SignerError: there is nobody who signs.
        """
        policy = self._loaded.policy
        count = count_of(policy)
        self._origins.open(policy, count, owner)
        self._generation = self._origins.generation(self._loaded, count)
        self._present.begin()

    def inherit(self, told: Estate) -> None:
        """In place of L{open}, L{start} and all before: a predecessor has left it."""
        self._origins.inherit(told["origins"])
        self._generation, *self._former = (self._inherited(each) for each in told["generations"])
        self.register.draining = told["draining"]
        add_counts(self._metrics, told["figures"])
        self._audit.dropped += told["dropped"]

    def _inherited(self, told: Estate) -> Generation:
        generation = self._origins.inherited(self._loaded, told)
        self._adopt(generation, [Newborn.inherited(each) for each in told["hands"]])
        for each, hand in zip(told["hands"], tuple(generation.hands.values()), strict=True):
            hand.leaving, hand.state = each["leaving"], each["state"]
        return generation

    def bequeath(self) -> Estate:
        """For L{inherit}, in the same process after exec. Nobody here does anything any more."""
        self._pulse.stop()
        self._linger.stop()
        return {
            "origins": self._origins.bequeath(),
            "generations": [each.bequeath() for each in (self._present, *self._former)],
            "draining": self.register.draining,
            "figures": without_present(state_of(self._metrics)),
            "dropped": self._audit.dropped,
        }

    def start(self) -> None:
        """
        With no more privileges than traffic needs, have workers that are ready to accept.

        @raise NurseryError: there are none.
        """
        if self._present.hands:  # inherited
            return
        specs = self._columns.specs(range(self._present.count))
        try:
            born = self._present.bear_all(specs)
        except NurseryError:
            self._columns.give_back(specs)
            raise
        self._adopt(self._present, born)

    def accept(self) -> None:
        """Accept."""
        self._steer()
        for hand in self._present.hands.values():
            hand.accept(self.register.draining)
        self._linger.begin()
        self._pulse.start()

    @property
    def _present(self) -> Generation:
        """The one that accepts."""
        assert self._generation is not None
        return self._generation

    def _adopt(self, generation: Generation, born: list[Newborn]) -> None:
        for newborn in born:
            hand = Hand(self._reactor, newborn, self._audit, self._over)
            generation.hands[hand.index] = hand

    def _steer(self) -> None:
        """Let connections come to those who are not resting."""
        present = self._present
        alive = [index for index in range(present.count) if index not in self._deaths.resting]
        self._groups.steer(present.loaded.policy, present.count, alive)

    # Reload

    @inlineCallbacks
    def prepare(self, loaded: Loaded, anew: bool = False) -> Any:
        """
        Have workers for a new policy that are ready to accept.

        @param anew: with the code that is installed now.
        @return: fails with C{OSError} or L{NurseryError}: there are none; or C{PolicyError}: they
            could not count so much. Nothing has changed then but for L{abandon}.
        """
        count = count_of(loaded.policy)
        yield self._in_thread(self._check_rows, loaded.policy.limits.sessions)
        yield self._make_room(loaded.policy.workers.former, count)
        self._linger.stop()  # what was to be given up may be needed
        self._groups.open(loaded.policy, count)
        if anew:
            yield self._in_thread(self._origins.renew)
        generation = self._origins.generation(loaded, count)
        specs = self._columns.specs(range(count))
        try:
            born = yield self._in_thread(generation.bear_all, specs)
        except NurseryError:
            self._columns.give_back(specs)
            raise
        self._next = generation
        self._adopt(generation, born)

    def _check_rows(self, sessions: int) -> None:
        """
        @raise PolicyError: the table has not rows for so many.
        """
        most = self._columns.table.sessions
        if sessions > most:
            why = f"the table in which workers count was made for {most} at most"
            raise unchangeable(self._directory, [("limits", ("sessions",), why)])

    @inlineCallbacks
    def _make_room(self, most: int, count: int) -> Any:
        """See to it that there are not too many workers in all."""
        while self._former and (len(self._former) >= most or self._columns.free < count):
            oldest = self._former[0]
            log.warn(
                "sessions with a policy that is {count} reloads old are ended: workers.former",
                count=len(self._former),
            )
            for hand in oldest.hands.values():
                hand.stop()
                self._reactor.callLater(PATIENCE, hand.kill)
            while oldest in self._former:
                yield self._once_over()

    def abandon(self) -> None:
        """The new policy does not come into force."""
        generation, self._next = self._next, None
        self._in_thread(self._origins.settle, False).addErrback(_report)
        if generation is not None:
            self._former.append(generation)
            for hand in generation.hands.values():
                hand.leave(0)
            self._in_thread(generation.retire).addErrback(_report)
        self._groups.abandon()
        if not self._stopping:
            self._linger.begin()

    @inlineCallbacks
    def switch(self, loaded: Loaded) -> Any:
        """New sessions get the new policy: none with the old one begins after one with this."""
        former, generation = self._present, self._next
        assert generation is not None
        self._generation, self._next = generation, None
        self._former.append(former)
        self._deaths.forget()
        left = DeferredList([hand.leave(None) for hand in former.hands.values()])
        left.addTimeout(LEAVE_SECONDS, self._reactor, lambda *_: None)
        yield left
        self._steer()
        for hand in generation.hands.values():
            hand.accept(self.register.draining)
        for index in set(range(generation.count)).difference(generation.hands):
            self._died(index)  # since it said that it was ready
        self._groups.adopt()
        self._linger.begin()
        yield self._in_thread(former.retire)
        yield self._in_thread(self._origins.settle, True)

    def _settle(self) -> None:
        """Nobody comes any more to where only a former policy brings him."""
        present = self._present
        for hand in tuple(present.hands.values()):
            hand.settle()
        self._in_thread(present.settle).addErrback(_report)
        self._groups.keep(present.loaded.policy, present.count)

    @property
    def rest(self) -> float:
        """See L{Chorus.rest}."""
        return self._chorus.rest

    passages = NO_PASSAGES
    """The sessions that the kernel has: none with several workers."""

    def give_room(self) -> None:
        """Each worker sees to that."""

    # Life and death

    def _hands(self) -> Iterator[Hand]:
        """All of them."""
        for generation in self._generations():
            yield from tuple(generation.hands.values())

    def _generations(self) -> Iterator[Generation]:
        yield self._present
        if self._next is not None:
            yield self._next
        yield from tuple(self._former)

    def _over(self, hand: Hand) -> None:
        """A worker's process has ended, and all that it said has been heard."""
        sessions = self._columns.clear(hand.column)
        if hand.state is not None:
            add_counts(self._metrics, without_present(hand.state))
            self._audit.dropped += hand.state["audit"][0]
        for generation in self._generations():
            if generation.hands.get(hand.index) is hand:
                del generation.hands[hand.index]
                reaped = self._in_thread(generation.reap, hand.number)
                reaped.addCallback(self._reaped, generation, hand, sessions)
                reaped.addErrback(_report)

    def _reaped(
        self, status: int | None, generation: Generation, hand: Hand, sessions: int
    ) -> None:
        self._forget(generation)
        if status not in (0, None) or not hand.leaving:
            how = _how(status)
            log.error(
                "worker {index} (process {process}) has ended ({how}) with {sessions} sessions",
                index=hand.index,
                process=hand.number,
                how=how,
                sessions=sessions,
            )
            self._metrics.workers_ended += 1
            self._audit.ended(f"worker {hand.index}", how, sessions, hand.torn)
        if generation is self._present and not self._stopping and not hand.leaving:
            self._died(hand.index)
        waiting, self._empty = self._empty, []
        for one in waiting:
            one.callback(None)

    def _forget(self, generation: Generation) -> None:
        """A former generation without workers is none."""
        if generation in self._former and not generation.hands:
            self._former.remove(generation)
            closed = self._in_thread(generation.close)
            closed.addErrback(_report)

    def _died(self, index: int) -> None:
        """Have another one, at once or after a while."""
        if not self._deaths.add(index):
            self._replace(self._present, index)
            return
        log.error(
            "worker {index} dies again and again: connections go to the others for {seconds} "
            "seconds",
            index=index,
            seconds=WITHIN,
        )
        self._steer()
        self._reactor.callLater(WITHIN, self._replace, self._present, index)

    def _replace(self, generation: Generation, index: int) -> None:
        if generation is not self._present or self._stopping:
            return
        (spec,) = self._columns.specs((index,))
        born = self._in_thread(generation.bear, spec)
        born.addCallbacks(
            self._replaced, self._not_replaced, (generation,), errbackArgs=(generation, spec)
        )
        born.addErrback(_report)

    def _replaced(self, newborn: Newborn, generation: Generation) -> None:
        self._adopt(generation, [newborn])
        hand = generation.hands[newborn.spec.index]
        if generation is not self._present or self._stopping:
            hand.leave(0)
            return
        log.info(
            "worker {index} is there again (process {process})",
            index=hand.index,
            process=hand.number,
        )
        self._deaths.resting.discard(hand.index)
        self._steer()
        hand.accept(self.register.draining)
        if not self._linger.lasts:
            hand.settle()

    def _not_replaced(self, failure: Any, generation: Generation, spec: WorkerSpec) -> None:
        self._columns.give_back((spec,))
        log.error("{error}", error=failure.getErrorMessage())
        if generation is self._present and not self._stopping:
            self._reactor.callLater(AGAIN, self._died, spec.index)

    # The end

    @inlineCallbacks
    def drain(self, seconds: float) -> Any:
        """
        Accept no more, and let sessions end.

        @param seconds: end those that are left after so long.
        """
        self._stopping = True
        self._pulse.stop()
        self._linger.stop()
        for hand in self._hands():
            hand.leave(seconds)
            self._reactor.callLater(seconds + PATIENCE, hand.kill)
        self._groups.close()
        for generation in self._generations():
            yield self._in_thread(generation.retire)
        while any(True for _ in self._hands()):
            yield self._once_over()

    @inlineCallbacks
    def close(self) -> Any:
        """There are no workers any more."""
        for generation in self._generations():
            yield self._in_thread(generation.close)
        yield self._in_thread(self._origins.close)

    def _once_over(self) -> Deferred[None]:
        """Fires when one more worker has ended."""
        one: Deferred[None] = Deferred()
        self._empty.append(one)
        return one

    def _in_thread(self, called: Any, *arguments: Any) -> Deferred[Any]:
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, called, *arguments)


def _report(failure: Any) -> None:
    """A bug."""
    log.failure("a bug", failure)


def _how(status: int | None) -> str:
    if status is None:
        return "nobody knows how"
    return f"status {status}" if status >= 0 else signal.Signals(-status).name

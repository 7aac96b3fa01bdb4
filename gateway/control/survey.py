"""
Surveys: looks at all running sessions, in pieces, at a bounded cost.

Whoever asks gets a L{Survey}. It is made of pieces between which traffic has its turns; who asks
while one is being made gets the same. Surveys cost at most a hundredth of all time: when they
have cost more, the last one is given again, as long as it is not old.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gateway.control.budget import Budget
from gateway.control.kernel import Kernel
from gateway.control.pieces import Pieces
from gateway.control.running import Register
from gateway.observe.snapshot import Snapshot

PIECE = 250
"""Sessions that are looked at before traffic has its turn: a millisecond."""

APART = 0.25
"""Seconds between two surveys that are compared, at least."""

STALE = 10.0
"""Seconds after which a survey is worth nothing."""


class Rate(NamedTuple):
    """Bytes a second."""

    to_server: float
    to_client: float

    @property
    def total(self) -> float:
        """In both directions."""
        return self.to_server + self.to_client


class Survey(NamedTuple):
    """
    All sessions that were running.

    @ivar moment: when the first one was looked at: seconds since 1970.
    @ivar former: an earlier one, to tell rates by; C{None}: there is none.
    """

    moment: float
    snapshots: Mapping[int, Snapshot]
    former: Survey | None = None

    def rate(self, snapshot: Snapshot) -> Rate | None:
        """A session's, since the former survey; C{None}: nobody knows."""
        former = self.former
        if former is None:
            return None
        before = former.snapshots.get(snapshot.identity.id)
        if before is None:  # it has begun since
            seconds = max(APART, self.moment - snapshot.started)
            return Rate(snapshot.to_server / seconds, snapshot.to_client / seconds)
        seconds = self.moment - former.moment
        return Rate(
            max(0, snapshot.to_server - before.to_server) / seconds,
            max(0, snapshot.to_client - before.to_client) / seconds,
        )


class Surveys:
    """
    @param clock: seconds since 1970, and turns for others.
    @param kernel: knows what the kernel has carried.
    @param budget: what looking costs goes onto its account.
    """

    def __init__(
        self, register: Register, clock: IReactorTime, budget: Budget, kernel: Kernel
    ) -> None:
        self._register = register
        self._clock = clock
        self._budget = budget
        self._kernel = kernel
        self._pieces = Pieces(clock, budget)
        self._last: Survey | None = None
        self._waiting: list[Deferred[Survey]] | None = None

    def look(
        self, rates: bool = False, fresh: bool = False, again: bool = False
    ) -> Deferred[Survey]:
        """
        Look at all sessions, or take what was seen a moment ago.

        @param rates: whether they are wanted: it takes two looks then, unless there was one.
        @param fresh: whatever it costs, look.
        @param again: what was seen a moment ago is wanted, if there is that.
        """
        last = None if fresh else self._fresh()
        will_do = last is not None and (last.former is not None or not rates)
        if last is not None and will_do and (again or self._budget.overdrawn):
            return succeed(last)
        looked = self._look()
        return looked.addCallback(self._look_again) if rates else looked

    def _look_again(self, survey: Survey) -> Survey | Deferred[Survey]:
        if survey.former is not None:
            return survey
        again: Deferred[Survey] = Deferred()
        self._clock.callLater(APART, lambda: self._look().chainDeferred(again))
        return again

    def _fresh(self) -> Survey | None:
        last = self._last
        fresh = last is not None and 0 <= self._clock.seconds() - last.moment <= STALE
        return last if fresh else None

    def _look(self) -> Deferred[Survey]:
        looked: Deferred[Survey] = Deferred()
        if self._waiting is not None:
            self._waiting.append(looked)
            return looked
        self._waiting = [looked]
        Deferred.fromCoroutine(self._walk()).addErrback(self._failed)
        return looked

    async def _walk(self) -> None:
        moment, running = self._clock.seconds(), self._register.running

        def look(each: int) -> Snapshot | None:
            session = running.get(each)
            return None if session is None else session.snapshot()  # it has ended meanwhile

        found = await self._pieces.each(tuple(running), look, PIECE)
        snapshots = await self._kernel.add({each.identity.id: each for each in found})
        self._walked(Survey(moment, snapshots))

    def _failed(self, failure: Failure) -> None:
        """A bug: everybody who waits hears of it."""
        waiting, self._waiting = self._waiting or [], None
        for looked in waiting:
            looked.errback(failure)

    def _walked(self, survey: Survey) -> None:
        survey = survey._replace(former=self._comparable(survey.moment))
        self._last = survey
        waiting, self._waiting = self._waiting or [], None
        self._clock.callLater(STALE, self._forget, survey)
        for looked in waiting:
            looked.callback(survey)

    def _comparable(self, moment: float) -> Survey | None:
        """The last survey that is old enough to be compared with, without those before it."""
        last = self._fresh()
        if last is not None and moment - last.moment < APART:
            last = last.former
        return None if last is None else last._replace(former=None)

    def _forget(self, survey: Survey) -> None:
        """Nobody has asked for a while: 20,000 snapshots are some megabytes."""
        if self._last is survey:
            self._last = None

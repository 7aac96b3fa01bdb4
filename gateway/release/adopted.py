"""Adopted: a session that the kernel has, of a gateway that ran before this one."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from gateway.interfaces import Outcome, Verdict
from gateway.observe.audit import Audit
from gateway.observe.identity import Identity, Released
from gateway.observe.metrics import Metrics
from gateway.observe.snapshot import KERNEL as KERNEL_STATE
from gateway.observe.snapshot import Snapshot
from gateway.observe.story import LegStory, Limit, Story
from gateway.policy.connection import Connection
from gateway.policy.connection import Protocol as Transport
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.release.carriage import Message
from gateway.release.passage import KERNEL, PATIENCE, verdict_of
from gateway.release.told import Told


class Conveyor(Protocol):
    """What it asks for, see L{gateway.release.passages.Passages}."""

    def kill(self, carried: Adopted) -> None:
        """End it."""

    def over(self, carried: Adopted, was_carried: bool) -> None:
        """Nothing is asked any more."""


class Equipment(Protocol):
    """What it works with."""

    @property
    def clock(self) -> IReactorTime:
        """Wall-clock time."""

    @property
    def audit(self) -> Audit:
        """For its record."""

    @property
    def metrics(self) -> Metrics:
        """It is counted."""


class Register(Protocol):
    """Where running sessions are counted."""

    def enter(self, session: Adopted, begins: bool) -> None:
        """It is there."""

    def leave(self, session: Adopted) -> None:
        """It is over."""


class Home(Protocol):
    """Where sessions are admitted."""

    @property
    def policy(self) -> Policy:
        """The policy for new sessions."""

    @property
    def equipment(self) -> Equipment:
        """What all sessions share."""

    @property
    def register(self) -> Register:
        """Those that are running."""


class Adopted:
    """One session. It has limits, and an end, and a record as any other."""

    def __init__(self, home: Home, conveyor: Conveyor, index: int, told: Told) -> None:
        self.index = index
        self.identity = Identity(
            *(told.id, told.client, told.server, Transport.TCP, told.service),
            rule=_rule(home.policy, told),
            parent=told.parent,
        )
        self._home = home
        self._conveyor = conveyor
        self._told = told
        self._verdict: Verdict | None = None
        self._over = False
        clock = home.equipment.clock
        home.register.enter(self, begins=False)
        left = max(0.0, told.until - clock.seconds())
        self._call = clock.callLater(left, self._expire) if told.until else None

    def told(self) -> Told:
        """What the carrier keeps of it."""
        return self._told

    # What the operator asks

    def snapshot(self) -> Snapshot:
        """See L{Running.snapshot<gateway.admission.register.Running>}."""
        return Snapshot(self.identity, KERNEL_STATE, self._told.started, 0.0, *self._told.sent)

    def story(self) -> Story:
        """See L{Running.story<gateway.admission.register.Running>}."""
        told, now = self._told, self._home.equipment.clock.seconds()
        total = told.until - told.started
        return Story(
            self.snapshot(),
            self._home.policy,
            LegStory(told.client, told.server, sent=told.sent[1]),
            LegStory(told.upstream.address, told.upstream.source, sent=told.sent[0]),
            upstream=told.upstream,
            limits=(Limit("total_seconds", total, told.until - now),) if told.until else (),
            denied=told.denied,
            released=Released(KERNEL, ""),
        )

    def kill(self, why: str) -> None:
        """See L{Running.kill<gateway.admission.register.Running>}. The carrier resets both."""
        self.end(Verdict(Outcome.CLOSED, why))

    # What the home says

    def stopping(self) -> None:
        """The gateway stops; it need not. The carrier says so, see L{left}."""

    def stop(self) -> None:
        """End now."""
        self.end(Verdict(Outcome.CLOSED, "the gateway was stopped"))

    def end(self, verdict: Verdict) -> bool:
        """End it, and hear what was carried."""
        if self._verdict is None:
            self._verdict = verdict
            self._cancel()
            self._call = self._home.equipment.clock.callLater(PATIENCE, self._finish, 0, 0)
            self._conveyor.kill(self)
        return True

    def _expire(self) -> None:
        told = self._told
        seconds = told.until - told.started
        self.end(Verdict(Outcome.FAILED, f"time limit: total_seconds = {seconds:g}"))

    # What the carrier says

    def settled(self) -> None:
        """It has no sockets."""

    def gone(self) -> None:
        """It has no sockets."""

    def begun_anew(self) -> None:
        """It knows no more of that than the carrier."""

    def left(self) -> None:
        """Somebody else accounts for it."""
        self._home.equipment.metrics.handed_on(self._told.service)
        self._end_here()

    def over(self, message: Message) -> None:
        """It has ended."""
        self._verdict = self._verdict or verdict_of(message, self._told.idle)
        self._finish(message["bytes_to_server"], message["bytes_to_client"])

    def _finish(self, to_server: int, to_client: int) -> None:
        if self._over:
            return
        told, verdict = self._told, self._verdict
        assert verdict is not None
        equipment = self._home.equipment
        traffic = told.sent[0] + to_server, told.sent[1] + to_client
        equipment.audit.flow(
            *(self.identity, verdict, told.started, equipment.clock.seconds()),
            *traffic,
            upstream=told.upstream,
            denied=told.denied,
            released=Released(KERNEL, ""),
        )
        equipment.metrics.ended(told.service, verdict.outcome, *traffic, told.denied)
        self._leave()

    def _leave(self) -> None:
        self._conveyor.over(self, True)
        self._end_here()

    def _end_here(self) -> None:
        self._over = True
        self._cancel()
        self._home.register.leave(self)

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()


def _rule(policy: Policy, told: Told) -> Rule | None:
    """The rule that would bring it now, if that is still for the same service."""
    if told.parent:
        return None
    asked = Connection(told.client, told.server, Transport.TCP, told.interface or None)
    rule = policy.decide(asked)
    return rule if rule is not None and rule.service == told.service else None

"""
Refusals: connections that became no session, and how many records they get.

Whoever is refused can come again at once, and a datagram's sender need not even give his own
address. So there is a bound: what is beyond it in a minute is counted, and the count is a record.
"""

from __future__ import annotations

from attrs import define

from gateway.counts import Key
from gateway.interfaces import Outcome, Verdict
from gateway.observe.identity import Identity
from gateway.observe.metrics import Refusal
from gateway.policy.connection import Protocol
from gateway.session.equipment import Equipment

MINUTE = 60.0

_Kind = tuple[str, Protocol, Refusal]


@define
class _Series:
    """Those of one kind, in the present minute."""

    recorded: int = 0
    left_out: int = 0
    first: float = 0.0
    last: float = 0.0


class Refusals:
    """Counts all, and records them. There are few kinds: services, protocols and reasons."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._series: dict[_Kind, _Series] = {}

    def add(self, identity: Identity, refusal: Refusal, verdict: Verdict, most: int) -> bool:
        """
        One more.

        @param most: how many of its kind are recorded in a minute; 0: all.
        @return: whether it is.
        """
        now = self._equipment.clock.seconds()
        self._equipment.metrics.refused(refusal)
        if most and not self._is_one_of(most, (identity.service, identity.protocol, refusal), now):
            return False
        self._equipment.audit.flow(identity, verdict, now, now, 0, 0)
        return True

    def _is_one_of(self, most: int, kind: _Kind, now: float) -> bool:
        if not self._series:
            self._equipment.ticker.after(MINUTE, self)
        series = self._series.get(kind)
        if series is None:
            series = self._series[kind] = _Series()
        if self._equipment.counts.take((_key(kind),), (most,)) < 0:
            series.recorded += 1
            return True
        series.first = series.first or now
        series.last = now
        series.left_out += 1
        return False

    def check_time(self) -> None:
        """A minute is over."""
        self.report()

    def report(self) -> None:
        """Record how many were left out. Another minute begins."""
        ended, self._series = self._series, {}
        for kind, series in ended.items():
            service, protocol, refusal = kind
            self._equipment.counts.less((_key(kind),), series.recorded)
            if series.left_out:
                self._equipment.audit.refused(
                    service,
                    protocol,
                    refusal.value,
                    series.left_out,
                    (series.first, series.last),
                )


def _key(kind: _Kind) -> Key:
    service, protocol, refusal = kind
    return "refused", service, protocol.value, refusal.value


BROKEN = Verdict(Outcome.BROKEN, "a bug, or a want of something: the traceback is in the log")

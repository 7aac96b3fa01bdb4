"""One probe: which samples of a policy get to the gateway, and what becomes of the others?"""

from __future__ import annotations

import secrets
import select
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import groupby
from time import monotonic
from typing import Any

from attrs import evolve, frozen

from gateway.kernel.errors import KernelError
from gateway.kernel.filter import xtables
from gateway.kernel.filter.nftables import table_name
from gateway.kernel.probe.injection import inject
from gateway.kernel.probe.links import links
from gateway.kernel.probe.packets import frame
from gateway.kernel.probe.samples import Sample, samples
from gateway.kernel.probe.stages import Stage, Stages, watched
from gateway.kernel.probe.trace import Step, Trace
from gateway.kernel.probe.ways import lost_on_the_way, routed
from gateway.kernel.routing import netlink
from gateway.policy.policy import Policy

PATIENCE = 0.2
"""Seconds for a packet that is not through at once: another processor, or a program, has it."""

BUDGET = 1.0
"""Seconds for all of them. Where nothing gets through, one need not be so sure of each port."""

HASTE = 0.005
"""Seconds for one when the budget is spent."""

_LOOK = 0.01
"""Seconds from one look to the next."""


@frozen
class Lost:
    """
    First packets that don't get to the gateway.

    @ivar interface: by which they come in.
    @ivar version: of IP.
    @ivar protocol: C{tcp} or C{udp}.
    @ivar ports: of the servers.
    @ivar why: who drops them, or where they go.
    @ivar diverted: whether the gateway's rules have taken them, so that they are input.
    @ivar by: the rule that drops them, if it is one of nftables, or of C{iptables-nft}.
    """

    interface: str
    version: int
    protocol: str
    ports: tuple[int, ...]
    why: str
    diverted: bool = True
    by: Step | None = None

    def __str__(self) -> str:
        plural = "s" if len(self.ports) > 1 else ""
        return (
            f"IPv{self.version}, {self.protocol} port{plural} {', '.join(map(str, self.ports))}, "
            f"from {self.interface}: {self.why}"
        )


@frozen
class Probed:
    """
    What came of a probe.

    @ivar asked: how many samples there were.
    @ivar lost: those that don't get here; none, if all is well.
    @ivar unasked: why packet filters were not asked, but only the routing; empty: they were.
    """

    asked: int
    lost: tuple[Lost, ...]
    unasked: str = ""


def probe(policy: Policy) -> Probed:
    """
    Ask the kernel. The gateway must run with C{policy}. Takes some milliseconds; longer, if packets
    get lost without a trace.

    @raise KernelError: not even the routing can be asked.
    """
    with netlink() as kernel:
        found = samples(policy, links(kernel), partial(routed, kernel))
        try:
            lost, unasked = list(_lost(kernel, policy, found)), ""
        except (KernelError, OSError) as error:
            lost, unasked = list(_lost_ways(kernel, policy, found)), str(error)
    return Probed(len(found), tuple(_grouped(lost)), unasked)


def _lost_ways(kernel: Any, policy: Policy, found: Iterable[Sample]) -> Iterator[Lost]:
    """What the routing alone says."""
    for sample in found:
        why = lost_on_the_way(kernel, sample, policy.divert.mark)
        if why:
            yield _told(sample, why)


def _lost(kernel: Any, policy: Policy, found: Iterable[Sample]) -> Iterator[Lost]:
    """What becomes of real packets."""
    mark, token = policy.divert.mark, secrets.randbits(32)
    left = BUDGET
    with watched(mark, token) as stages, closing(Trace(stages.table)) as trace:
        for sample in found:
            inject(sample.link.index, frame(sample.link.address, sample.connection, token))
            begun = monotonic()
            way = _Way(stages, trace, sample)
            if not way.arrives(max(HASTE, min(PATIENCE, left))):
                left -= monotonic() - begun
                routing = partial(lost_on_the_way, kernel, sample, mark)
                yield way.told(table_name(policy.divert.port), routing)


class _Way:
    """The way of one packet."""

    def __init__(self, stages: Stages, trace: Trace, sample: Sample) -> None:
        self._stages = stages
        self._trace = trace
        self._sample = sample
        self._steps: list[Step] = []
        self._reached: set[Stage] = set()

    def arrives(self, patience: float) -> bool:
        """Whether it gets to the gateway. Waits for that, unless it is over."""
        deadline = monotonic() + patience
        while True:
            self._reached = self._stages.reached(self._sample.mark)
            # what is told of one that arrives must not be taken for the next one's
            self._steps += [step for step in self._trace.read() if step.dropped or step.queued]
            if Stage.ARRIVED in self._reached:
                return True
            over = self._dropped or Stage.PASSED_BY in self._reached
            if over or monotonic() > deadline:
                return False
            select.select([self._trace], [], [], _LOOK)

    @property
    def _dropped(self) -> Step | None:
        return next((step for step in self._steps if step.dropped), None)

    def told(self, own: str, routing: Callable[[], str]) -> Lost:
        """
        What became of it.

        @param own: the name of the gateway's table.
        @param routing: asks what the routing says.
        """
        by = self._dropped
        if by is not None and (by.table == f"inet {own}" or by.chain.startswith(xtables.PREFIX)):
            by, why = None, "the gateway's own rules block it, as nobody listens on its port"
        elif by is not None:
            why = f"the {by} drops it"
        elif self._steps:
            why = f"the {self._steps[-1]} hands it to a program, which does not give it back"
        elif Stage.PASSED_BY in self._reached:
            why = "it is not diverted: the gateway's rules are gone, or others undo what they do"
        else:
            why = routing() or self._guessed
        lost = _told(self._sample, why)
        return evolve(lost, by=by, diverted=Stage.DIVERTED in self._reached)

    @property
    def _guessed(self) -> str:
        """Where it was lost, if nobody says anything."""
        for stage, hook in ((Stage.DIVERTED, "INPUT"), (Stage.RECEIVED, "PREROUTING")):
            if stage in self._reached:
                return f"rules that nft does not show (iptables-legacy?) drop it on the hook {hook}"
        return (
            "it is dropped before the packet filter sees it, by something at the interface itself "
            "(a bridge, tc, XDP, or nft's netdev family)"
        )


def _told(sample: Sample, why: str) -> Lost:
    connection = sample.connection
    port = connection.destination.port
    return Lost(sample.link.name, sample.version, connection.protocol.value, (port,), why)


def _grouped(lost: Iterable[Lost]) -> Iterator[Lost]:
    """What differs in ports only is one."""

    def kind(one: Lost) -> tuple[str, int, str, str]:
        return one.interface, one.version, one.protocol, one.why

    for _, same in groupby(sorted(lost, key=kind), key=kind):
        first, *others = same
        ports = {*first.ports, *(port for one in others for port in one.ports)}
        rule = first.by.text if first.by else ""
        why = f"{first.why} ({rule})" if rule else first.why
        yield evolve(first, ports=tuple(sorted(ports)), why=why)

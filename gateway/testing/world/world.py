"""A World: a simulated host with the gateway's sessions in it, and whoever comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any, cast

from attrs import define, field
from zope.interface import implementer

from gateway.admission.admission import Admission
from gateway.admission.register import Register
from gateway.interfaces import CONTRACT, Address, IInspector, IInspectorMaker, ISession
from gateway.observe.audit import Audit
from gateway.observe.metrics import Metrics
from gateway.policy.limits import Limits
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Service
from gateway.session.equipment import Equipment
from gateway.session.ticker import Ticker
from gateway.testing.world.epoll import SimulatedEpoll
from gateway.testing.world.network import SimulatedNetwork
from gateway.testing.world.peer import Peer
from gateway.testing.world.reactor import SimulatedReactor
from gateway.testing.world.records import Flow, KeptRecords
from gateway.wire.connector import Connector
from gateway.wire.names import Names
from gateway.wire.poller import Poller

CLIENT = Address("192.0.2.1", 50001)
SERVER = Address("198.51.100.2", 7)

DESCRIPTORS = 1000


@implementer(IInspectorMaker)
@define
class Maker:
    """Makes what the test wants."""

    name: str
    making: Callable[[ISession], IInspector]
    description: str = ""
    transports: frozenset[str] = frozenset({"tcp", "udp"})
    contract: tuple[int, int] = CONTRACT
    serves: frozenset[str] = frozenset()

    @property
    def keeps(self) -> bool:
        """See L{IInspectorMaker}."""
        return bool(getattr(self.making, "keeps", False))

    def settings(self) -> type | None:
        """See L{IInspectorMaker}."""
        return cast("type | None", getattr(self.making, "Settings", None))

    def share(self, settings: Any) -> Any:
        """See L{IInspectorMaker}."""
        shared = getattr(self.making, "Shared", None)
        return None if shared is None else shared(settings)

    def make(self, session: ISession) -> IInspector:
        """See L{IInspectorMaker}."""
        return self.making(session)


def inspecting(making: Callable[[Any], Any], name: str = "web", **fields: Any) -> Service:
    """A service whose inspector is made by C{making}, with a rule for everything."""
    maker = Maker(name, making)
    fields.setdefault("shared", maker.share(fields.get("settings")))
    return Service(name, maker=maker, rules=(Rule(name),), **fields)


@define(eq=False)
class World:
    """
    One gateway. The rules of its first service are for everybody.

    @ivar services: what it has.
    @ivar chance: puts what is ready in any order; C{None}: in one order, always.
    @ivar descriptors: how many sockets its sessions may have.
    """

    services: Iterable[Service]
    chance: Random | None = field(default=None, kw_only=True)
    limits: Limits = field(factory=Limits, kw_only=True)
    descriptors: int = field(default=DESCRIPTORS, kw_only=True)

    network: SimulatedNetwork = field(init=False, factory=SimulatedNetwork)
    records: KeptRecords = field(init=False, factory=KeptRecords)
    metrics: Metrics = field(init=False, factory=Metrics)
    reactor: SimulatedReactor = field(init=False)
    poller: Poller = field(init=False)
    equipment: Equipment = field(init=False)
    policy: Policy = field(init=False)
    admission: Admission = field(init=False)

    def __attrs_post_init__(self) -> None:
        services = tuple(self.services)
        self.policy = Policy(
            limits=self.limits,
            services={one.name: one for one in services},
            rules=services[0].rules,
        )
        self.reactor = reactor = SimulatedReactor(self.network)
        reactor.advance(1_000_000.0)
        chance = self.chance
        self.poller = Poller(
            cast(Any, reactor),
            lambda: (
                SimulatedEpoll(self.network)
                if chance is None
                else SimulatedEpoll(self.network, chance.shuffle)
            ),
        )
        names = Names()
        self.equipment = Equipment(
            reactor=reactor,
            clock=cast(Any, reactor),
            ticker=Ticker(cast(Any, reactor)),
            connector=Connector(self.poller, 0, names, self.network),
            audit=cast(Audit, self.records),
            metrics=self.metrics,
            poller=self.poller,
            names=names,
            sockets=self.network,
        )
        self.admission = Admission(self.equipment, self.policy, self.descriptors)

    @property
    def register(self) -> Register:
        """The sessions that are running."""
        return self.admission.register

    def comes(self, client: Address = CLIENT, server: Address = SERVER) -> Peer:
        """A client's connection comes in, and is admitted or refused."""
        sock, peer = self.network.comes(client, server)
        self.admission.admit(sock, client, server, None, 0)
        return peer

    def settle(self) -> None:
        """Let everything happen that can, without time passing."""
        self.reactor.settle()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and everything happen that can."""
        self.reactor.pass_time(seconds)

    @property
    def flows(self) -> list[Flow]:
        """The records of sessions that are over, and of connections that became none."""
        return self.records.flows

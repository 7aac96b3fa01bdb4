"""
The ruleset: what a packet filter has to decide, whatever packet filter it is.

The policy's rules are sorted out here into L{Branch}es by what a packet filter
knows for nothing: address family, incoming interface, transport protocol. In
one branch every rule is a L{Clause}: a product of three sets of numbers (ports,
destinations, sources) with a verdict, in deciding order.

The backends only render. A model in the tests evaluates the same objects, and is held
against L{Policy.decide}.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from attrs import evolve, field, frozen

from gateway.policy.connection import Protocol
from gateway.policy.divert import Divert
from gateway.policy.handshake import Handshake, HandshakeSettings
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Reply, Service
from gateway.policy.spans import EVERY_PORT, Family, Spans, address_spans, merged
from gateway.policy.zone import Network


@frozen
class Inspect:
    """
    Bring it to listener number C{listener}.

    C{through}: not the first packet, but the ends of its connection, when client and server
    have shaken hands.
    """

    listener: int
    through: bool = False


@frozen
class Forward:
    """Leave it alone: a rule says so."""


@frozen
class Deny:
    """Refuse it with C{reply}."""

    reply: Reply


Verdict = Inspect | Forward | Deny
"""What becomes of a first packet. That no rule matches is C{None}."""


class Dimension(IntEnum):
    """The sets whose product a clause is, as an index to L{Clause.sets}."""

    PORT = 0
    DESTINATION = 1
    SOURCE = 2


@frozen
class Clause:
    """
    One rule in one branch.

    @ivar number: which one of the policy's it is, in deciding order.
    """

    sets: tuple[Spans, Spans, Spans]
    verdict: Verdict
    rule: Rule = field(eq=False, repr=False)
    number: int = field(default=0, eq=False)


@frozen
class Branch:
    """
    What is decided about the first packets of one family and protocol that
    came in by C{interface}; C{None}: by any that no rule names.
    """

    family: Family
    interface: str | None
    protocol: Protocol
    clauses: tuple[Clause, ...]

    def unlimited(self, dimension: Dimension) -> Spans:
        """Every number of C{dimension} in this branch."""
        return EVERY_PORT if dimension is Dimension.PORT else self.family.everything


@frozen
class Ruleset:
    """
    Everything that a packet filter must know of the policy.

    C{classes} are the interfaces that have a listener of their own, in the
    order of the listeners; the first is C{None}, for all others.
    """

    divert: Divert
    classes: tuple[str | None, ...]
    branches: tuple[Branch, ...]
    handshake: HandshakeSettings = field(factory=HandshakeSettings)

    @property
    def through(self) -> bool:
        """Whether some clients shake hands with their servers."""
        return any(
            isinstance(clause.verdict, Inspect) and clause.verdict.through
            for branch in self.branches
            for clause in branch.clauses
        )

    def port(self, listener: int) -> int:
        """The port of a listener."""
        return self.divert.port + listener

    @property
    def ports(self) -> range:
        """The ports of all listeners."""
        return range(self.divert.port, self.divert.port + len(self.classes))

    @property
    def loopback(self) -> bool:
        """Whether what comes in by C{lo} is to be decided, in spite of its local addresses."""
        return "lo" in self.classes or "lo" in self.divert.interfaces

    @property
    def replies(self) -> frozenset[Reply]:
        """The replies of which at least one rule makes use."""
        return frozenset(
            clause.verdict.reply
            for branch in self.branches
            for clause in branch.clauses
            if isinstance(clause.verdict, Deny)
        )


def make_ruleset(policy: Policy) -> Ruleset:
    """The ruleset that decides as C{policy} does."""
    classes = (None, *policy.interfaces)
    return Ruleset(policy.divert, classes, tuple(_branches(policy, classes)), policy.handshake)


def _branches(policy: Policy, classes: tuple[str | None, ...]) -> Iterator[Branch]:
    """The branches that hold at least one clause."""
    known = _Known()
    for family in Family:
        for listener, interface in enumerate(classes):
            for protocol in Protocol:
                clauses = tuple(
                    evolve(_clause(policy, rule, family, listener, protocol, known), number=number)
                    for number, rule in enumerate(policy.rules)
                    if _concerns(rule, family, interface, protocol)
                )
                if clauses:
                    yield Branch(family, interface, protocol, clauses)


def _concerns(rule: Rule, family: Family, interface: str | None, protocol: Protocol) -> bool:
    """Whether C{rule} can match anything in a branch."""
    return (
        rule.protocol is protocol
        and (not rule.interfaces or interface in rule.interfaces)
        and _exists(rule.sources, family)
        and _exists(rule.destinations, family)
    )


def _exists(networks: tuple[Network, ...], family: Family) -> bool:
    """Whether some address of C{family} is among C{networks}; none at all means any."""
    return not networks or any(network.version == family.value for network in networks)


def _clause(
    policy: Policy, rule: Rule, family: Family, listener: int, protocol: Protocol, known: _Known
) -> Clause:
    """C{rule} in a branch of C{family} and C{protocol}."""
    ports = merged((first, last + 1) for first, last in rule.ports)
    sets = (
        ports if protocol.has_ports else EVERY_PORT,
        known.addresses(rule.destinations, family),
        known.addresses(rule.sources, family),
    )
    return Clause(sets, _verdict(policy, rule, listener), rule)


def _verdict(policy: Policy, rule: Rule, listener: int) -> Verdict:
    """What the service of C{rule} wants."""
    service = policy.services[rule.service]
    verdicts: dict[Action, Verdict] = {
        Action.INSPECT: Inspect(listener, _through(service, rule)),
        Action.FORWARD: Forward(),
        Action.DENY: Deny(service.reply),
    }
    return verdicts[service.action]


def _through(service: Service, rule: Rule) -> bool:
    return service.handshake is Handshake.THROUGH and rule.protocol is Protocol.TCP


class _Known:
    """
    Makes one L{Spans} object of equal sets of networks, for rules share large
    zones: it saves the work, and lets others compare them by identity.
    """

    def __init__(self) -> None:
        self._by_identity: dict[tuple[int, Family], Spans] = {}
        self._by_value: dict[Spans, Spans] = {}

    def addresses(self, networks: tuple[Network, ...], family: Family) -> Spans:
        """The addresses of C{networks} in C{family}."""
        key = (id(networks), family)
        spans = self._by_identity.get(key)
        if spans is None:
            spans = address_spans(networks, family)
            spans = self._by_identity[key] = self._by_value.setdefault(spans, spans)
        return spans

"""The decision as rules of iptables: one clause after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from attrs import define, field

from gateway.kernel.filter.ruleset import Branch, Clause, Dimension, Inspect, Ruleset
from gateway.policy.connection import Protocol
from gateway.policy.spans import EVERY_PORT, Family, Spans

_PROTOCOLS = {Protocol.TCP: ("tcp",), Protocol.UDP: ("udp",), Protocol.ICMP: ("1", "58")}

_MULTIPORT = 15
"""A multiport match holds so many ports; a range counts twice."""


@define
class Clauses:
    """
    Writes the chain C{DECIDE} of one table, and all that it leads to.

    Rules jump, for a clause that does not hold leads back to the next one. So does
    one that spares a packet, which goes on with what is not ours: the mark tells.
    """

    family: Family
    chain: Callable[[str], str]
    """The name of the chain with a role."""
    rules: dict[str, list[str]]
    """The rules of the table, by chain."""
    action: Callable[[Clause], str]
    """What to do when everything matches."""
    spared: str
    """A match for packets that were spared; empty if the actions spare none."""
    _numbers: int = field(default=0, init=False)

    def write(self, ruleset: Ruleset) -> None:
        """From interface and protocol to the clauses."""
        decide = self.chain("DECIDE")
        self._put(decide)
        for index, interface in reversed(list(enumerate(ruleset.classes))):
            chain = self.chain(f"IN{index}")
            self._put(chain)
            self._put(decide, f"{f'-i {interface} ' if interface else ''}-g {chain}")
            branches = {
                branch.protocol: branch
                for branch in ruleset.branches
                if branch.family is self.family and branch.interface == interface
            }
            for protocol, branch in branches.items():
                self._write_branch(self.chain(f"{protocol.name}{index}"), branch)
            self._put(chain, *self._protocols(set(branches), index))

    def _protocols(self, decided: set[Protocol], index: int) -> Iterator[str]:
        """What leads from one interface to its protocols."""
        for protocol, numbers in _PROTOCOLS.items():
            target = f"-g {self.chain(f'{protocol.name}{index}')}"
            if protocol in decided or Protocol.OTHER in decided:
                chosen = target if protocol in decided else "-j RETURN"
                yield from (f"-p {number} {chosen}" for number in numbers)
        if Protocol.OTHER in decided:
            yield f"-g {self.chain(f'{Protocol.OTHER.name}{index}')}"

    def _put(self, chain: str, *rules: str) -> None:
        self.rules.setdefault(chain, []).extend(rules)

    def _write_branch(self, chain: str, branch: Branch) -> None:
        for clause in branch.clauses:
            self._write_clause(chain, "", self._levels(branch, clause), self.action(clause))
            if self.spared and not isinstance(clause.verdict, Inspect):
                self._put(chain, f"{self.spared} -j RETURN")

    def _levels(self, branch: Branch, clause: Clause) -> list[list[str]]:
        """The alternatives of each dimension that the clause asks about, as matches."""
        source, destination, port = (
            clause.sets[d] for d in (Dimension.SOURCE, Dimension.DESTINATION, Dimension.PORT)
        )
        every = branch.family.everything
        levels = [
            [] if source == every else [f"-s {network} " for network in self._networks(source)],
            []
            if destination == every
            else [f"-d {network} " for network in self._networks(destination)],
            [] if port == EVERY_PORT else list(_ports(branch.protocol, port)),
        ]
        return [level for level in levels if level]

    def _networks(self, spans: Spans) -> Iterator[str]:
        for first, end in spans:
            if self.family is Family.V4:
                networks = summarize_address_range(IPv4Address(first), IPv4Address(end - 1))
                yield from map(str, networks)
            else:
                last = IPv6Address(end - 1)
                yield from map(str, summarize_address_range(IPv6Address(first), last))

    def _write_clause(self, chain: str, match: str, levels: list[list[str]], action: str) -> None:
        """Single alternatives in one rule; several lead to one chain for the levels that follow."""
        while levels and len(levels[0]) == 1:
            match, levels = match + levels[0][0], levels[1:]
        if not levels:
            self._put(chain, f"{match}{action}")
            return
        alternatives, *deeper = levels
        if deeper:
            self._numbers += 1
            child = self.chain(str(self._numbers))
            self._write_clause(child, "", deeper, action)
            action = f"-j {child}"
        self._put(chain, *(f"{match}{alternative}{action}" for alternative in alternatives))


def _ports(protocol: Protocol, spans: Spans) -> Iterator[str]:
    """C{spans} as matches of as many ports as one can hold."""
    group: list[str] = []
    held = 0
    for first, end in spans:
        size = 1 if end == first + 1 else 2
        if held + size > _MULTIPORT:
            yield _multiport(protocol, group)
            group, held = [], 0
        group.append(str(first) if size == 1 else f"{first}:{end - 1}")
        held += size
    yield _multiport(protocol, group)


def _multiport(protocol: Protocol, group: list[str]) -> str:
    return f"-p {protocol.value} -m multiport --dports {','.join(group)} "

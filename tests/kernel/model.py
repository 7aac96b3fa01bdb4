"""
A model of the installed rules: what would the kernel do with this connection?

It reads the same objects that the backends render: L{linear} as the iptables
backend does, L{treelike} as the nftables backend does.
"""

from __future__ import annotations

from ipaddress import ip_address

from gateway.kernel.filter.ruleset import Branch, Dimension, Ruleset, Verdict
from gateway.kernel.filter.tree import SHORT, Budget, Node, Split, grow
from gateway.policy.connection import Connection
from gateway.policy.spans import Spans


def holds(spans: Spans, number: int) -> bool:
    """Whether C{number} is in C{spans}."""
    return any(first <= number < end for first, end in spans)


Numbers = tuple[int, int, int]
"""Port, destination and source, as L{Dimension} counts them."""


def linear(ruleset: Ruleset, connection: Connection) -> Verdict | None:
    """What a packet filter does that tries one rule after the other."""
    branch = branch_of(ruleset, connection)
    if branch is None:
        return None
    numbers = _numbers(connection)
    for clause in branch.clauses:
        if all(holds(clause.sets[d], numbers[d]) for d in Dimension):
            return clause.verdict
    return None


def treelike(
    ruleset: Ruleset, connection: Connection, budget: Budget | None = None, short: int = SHORT
) -> Verdict | None:
    """What a packet filter does that has the decision tree."""
    branch = branch_of(ruleset, connection)
    if branch is None:
        return None
    return walk(grow(branch, budget or Budget(), short), _numbers(connection))


def walk(node: Node, numbers: Numbers) -> Verdict | None:
    """The verdict that the tree C{node} leads to."""
    while isinstance(node, Split):
        number = numbers[node.dimension]
        found = [child for span, child in node.parts if holds((span,), number)]
        if not found:
            return None
        (node,) = found
    for step in node.steps:
        if all(holds(spans, numbers[dimension]) for dimension, spans in step.conditions):
            return step.verdict
    return None


def branch_of(ruleset: Ruleset, connection: Connection) -> Branch | None:
    """The branch that C{connection} belongs to, or L{None}: it is not decided about at all."""
    interface, diverted = connection.interface, ruleset.divert.interfaces
    if interface is not None and diverted and interface not in diverted:
        return None
    if interface not in ruleset.classes:
        interface = None
    family = ip_address(connection.source.host).version
    for branch in ruleset.branches:
        if (branch.family.value, branch.interface, branch.protocol) == (
            family,
            interface,
            connection.protocol,
        ):
            return branch
    return None


def _numbers(connection: Connection) -> Numbers:
    """The connection as a point."""
    return (
        connection.destination.port,
        int(ip_address(connection.destination.host)),
        int(ip_address(connection.source.host)),
    )

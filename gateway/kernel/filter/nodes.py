"""The decision in the nft language: chains for the nodes of the trees, and for what leads there."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntop

from gateway.kernel.filter.ruleset import Branch, Dimension, Ruleset, Verdict
from gateway.kernel.filter.tree import Budget, Node, Split, Step, Steps, grow
from gateway.kernel.filter.words import braces
from gateway.policy.connection import Protocol
from gateway.policy.spans import Family, Span, Spans

_INLINE = 6
"""Sets of more spans than this get a name, and are there once however many rules use them."""

_PROTOCOLS = {
    Protocol.TCP: ("tcp",),
    Protocol.UDP: ("udp",),
    Protocol.ICMP: ("icmp", "ipv6-icmp"),
}

_FAMILIES = {Family.V4: ("ipv4", "ip", AF_INET, 4), Family.V6: ("ipv6", "ip6", AF_INET6, 16)}


class Nodes:
    """
    Writes the chain C{decide} and all that it leads to.

    @param chains: where chains are written to, by name.
    @param verdict: writes the chain that carries the verdict of a rule out, and names it.
    @ivar sets: the texts of the named sets.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        chains: dict[str, list[str]],
        verdict: Callable[[int, Verdict], str],
    ) -> None:
        self._ruleset = ruleset
        self._chains = chains
        self._verdict = verdict
        self._known_sets: dict[tuple[int, Dimension], tuple[str, Spans]] = {}
        self._nodes: dict[int, tuple[Node, str]] = {}
        self._family = Family.V4
        self.sets: list[str] = []

    def write(self) -> None:
        """From family, interface and protocol to the trees, and to the verdicts."""
        families = [family for family in Family if self._branches(family)]
        jumps = [f"{_FAMILIES[family][0]} : goto decide{family.value}" for family in families]
        self._chains["decide"] = [f"meta nfproto vmap {braces(jumps)}"] if jumps else []
        budget = Budget()
        for family in families:
            self._family = family
            self._write_interfaces(family, budget)

    def _branches(self, family: Family) -> list[Branch]:
        return [branch for branch in self._ruleset.branches if branch.family is family]

    def _write_interfaces(self, family: Family, budget: Budget) -> None:
        """The chain that tells the interfaces apart, and those that tell protocols apart."""
        names = []
        for index, interface in enumerate(self._ruleset.classes):
            chain = f"decide{family.value}_{index}" if interface else f"decide{family.value}_other"
            names.append((interface, chain))
            self._write_protocols(family, interface, chain, budget)
        jumps = [f'"{interface}" : goto {chain}' for interface, chain in names if interface]
        lines = [f"iifname vmap {braces(jumps)}"] if jumps else []
        self._chains[f"decide{family.value}"] = [*lines, f"goto {names[0][1]}"]

    def _write_protocols(
        self, family: Family, interface: str | None, chain: str, budget: Budget
    ) -> None:
        """The chain that leads to the trees of one interface."""
        targets = {
            branch.protocol: self._node(grow(branch, budget))
            for branch in self._branches(family)
            if branch.interface == interface
        }
        other = targets.get(Protocol.OTHER)
        jumps = [
            f"{name} : {f'goto {targets[protocol]}' if protocol in targets else 'accept'}"
            for protocol, names in _PROTOCOLS.items()
            for name in names
            if other or protocol in targets
        ]
        lines = [f"meta l4proto vmap {braces(jumps)}"] if jumps else []
        self._chains[chain] = lines + ([f"goto {other}"] if other else [])

    def _node(self, node: Node) -> str:
        """The name of the chain for C{node}, which is written if it isn't yet."""
        known = self._nodes.get(id(node))
        if known:
            return known[1]
        name = self._write_node(node)
        # the node is kept, or its id could be another's
        self._nodes[id(node)] = (node, name)
        return name

    def _write_node(self, node: Node) -> str:
        if isinstance(node, Steps) and len(node.steps) == 1 and not node.steps[0].conditions:
            return self._verdict(node.steps[0].number, node.steps[0].verdict)
        lines = [self._split(node)] if isinstance(node, Split) else self._steps(node)
        name = f"node{len(self._nodes)}"
        self._chains[name] = lines
        return name

    def _split(self, split: Split) -> str:
        """The rule that looks up where to go on."""
        jumps = (
            f"{self._span(split.dimension, span)} : goto {self._node(child)}"
            for span, child in split.parts
        )
        return f"{self._key(split.dimension)} vmap {braces(jumps)}"

    def _steps(self, steps: Steps) -> list[str]:
        """Rules that are tried one after the other."""
        return [self._step(step) for step in steps.steps]

    def _step(self, step: Step) -> str:
        conditions = (
            f"{self._key(dimension)} {self._set(dimension, spans)} "
            for dimension, spans in step.conditions
        )
        return "".join(conditions) + f"goto {self._verdict(step.number, step.verdict)}"

    def _key(self, dimension: Dimension) -> str:
        """The field of the packet that is C{dimension}."""
        ip = _FAMILIES[self._family][1]
        fields = {
            Dimension.PORT: "th dport",
            Dimension.DESTINATION: f"{ip} daddr",
            Dimension.SOURCE: f"{ip} saddr",
        }
        return fields[dimension]

    def _set(self, dimension: Dimension, spans: Spans) -> str:
        """C{spans} as the right hand side of a comparison."""
        if len(spans) == 1:
            return self._span(dimension, spans[0])
        if len(spans) <= _INLINE:
            return braces(self._span(dimension, span) for span in spans)
        key = (id(spans), dimension)
        if key not in self._known_sets:
            self._known_sets[key] = (f"set{len(self._known_sets)}", spans)
            self._write_set(dimension, *self._known_sets[key])
        return f"@{self._known_sets[key][0]}"

    def _write_set(self, dimension: Dimension, name: str, spans: Spans) -> None:
        """A named set."""
        address = {Family.V4: "ipv4_addr", Family.V6: "ipv6_addr"}[self._family]
        kind = "inet_service" if dimension is Dimension.PORT else address
        elements = braces(self._span(dimension, span) for span in spans)
        self.sets.append(
            f"\tset {name} {{\n\t\ttype {kind}\n\t\tflags interval\n"
            f"\t\telements = {elements}\n\t}}\n"
        )

    def _span(self, dimension: Dimension, span: Span) -> str:
        """C{span} in nft's words."""
        first, last = (self._number(dimension, number) for number in (span[0], span[1] - 1))
        return first if first == last else f"{first}-{last}"

    def _number(self, dimension: Dimension, number: int) -> str:
        if dimension is Dimension.PORT:
            return str(number)
        _, _, family, length = _FAMILIES[self._family]
        return inet_ntop(family, number.to_bytes(length, "big"))

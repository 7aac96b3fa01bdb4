"""
The ruleset as an nft script: one table, replaced in one transaction.

Five chains hang on hooks:

  - C{arrive} (prerouting, raw) takes packets whose socket is ours, then decides
    about first packets. At raw priority, for the connection tracking zone must
    be chosen before connection tracking sees the packet;
  - C{refuse} (prerouting, right after connection tracking) answers what is
    denied. Not at raw: a reset or ICMP error that belongs to no tracked
    connection is invalid to the host's own stateful rules. The packet gets there
    with a mark that nothing else has, both of the gateway's own at once;
  - C{translated} (prerouting, after NAT) takes replies to a server leg that was
    masqueraded: before, they are addressed to the host itself;
  - C{leave} (output, raw) puts what goes to clients into the client legs' zone.

Which packets have a socket (see kernel.md rows 3, 7, 23): C{socket wildcard} and
C{socket mark} know full sockets only; on request and TIME_WAIT sockets they end the rule,
while C{socket transparent} knows them all. So full sockets go first. What remains
that is transparent is a half socket; but not for a SYN, since a client that uses
a port again meets its own TIME_WAIT socket, and the tproxy statement knows
how to find the listener behind it.

There is no MSS clamp. Both legs end at the gateway, so each one's MSS follows its
own route already, and path MTU errors reach the sockets. Where routers further away swallow
those errors, C{net.ipv4.tcp_mtu_probing = 1} is the remedy, not a clamp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from socket import AF_INET, AF_INET6, inet_ntop

from gateway.kernel.filter.ruleset import (
    Branch,
    Deny,
    Dimension,
    Forward,
    Inspect,
    Ruleset,
    Verdict,
)
from gateway.kernel.filter.tree import Budget, Node, Split, Step, Steps, grow
from gateway.policy.connection import Protocol
from gateway.policy.divert import Mark, WhenDown
from gateway.policy.service import Reply
from gateway.policy.spans import Family, Span, Spans

PREFIX = "tproxygw_"
"""How the names of our tables start. The listeners' first port follows."""

_INLINE = 6
"""Sets of more spans than this get a name, and are there once however many rules use them."""

_REJECT = {
    Reply.RESET: ("meta l4proto tcp reject with tcp reset", "reject with icmpx port-unreachable"),
    Reply.DROP: ("drop",),
    Reply.PORT_UNREACHABLE: ("reject with icmpx port-unreachable",),
    Reply.HOST_UNREACHABLE: ("reject with icmpx host-unreachable",),
    Reply.NETWORK_UNREACHABLE: ("reject with icmpx no-route",),
    Reply.PROHIBITED: ("reject with icmpx admin-prohibited",),
}

_FAMILIES = {Family.V4: ("ipv4", "ip", AF_INET, 4), Family.V6: ("ipv6", "ip6", AF_INET6, 16)}


def table_name(port: int) -> str:
    """The name of the table of the instance whose first listener is on C{port}."""
    return f"{PREFIX}{port}"


def install_script(ruleset: Ruleset, left_over: Iterable[str] = ()) -> str:
    """
    The script that installs C{ruleset}, in the place of an older one and of
    the tables C{left_over}, or changes nothing at all.
    """
    name = table_name(ruleset.divert.port)
    removed = "".join(remove_script(table) for table in {name, *left_over})
    return f"{removed}table inet {name} {{\n{_Table(ruleset)}}}\n"


def draft_name(port: int) -> str:
    """The name of the table that holds what is to be copied to L{table_name}'s."""
    return f"{table_name(port)}_draft"


def draft_script(ruleset: Ruleset) -> str:
    """The script that installs a draft of C{ruleset}: the same table, and nothing goes by it."""
    name = draft_name(ruleset.divert.port)
    return f"{remove_script(name)}table inet {name} {{\n\tflags dormant\n{_Table(ruleset)}}}\n"


def remove_script(table: str) -> str:
    """The script that removes C{table}, whether it is there or not."""
    return f"table inet {table} {{}}\ndelete table inet {table}\n"


class _Table:
    """The content of the table while it is written."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._divert = ruleset.divert
        self._sets: dict[tuple[int, Dimension], tuple[str, Spans]] = {}
        self._chains: dict[str, list[str]] = {}
        self._nodes: dict[int, tuple[Node, str]] = {}
        self._family = Family.V4
        self._write()

    def __str__(self) -> str:
        return "".join(self._text())

    def _text(self) -> Iterator[str]:
        """All sets, then all chains."""
        yield from self._set_texts
        for name, lines in self._chains.items():
            yield f"\tchain {name} {{\n"
            yield from (f"\t\t{line}\n" for line in lines)
            yield "\t}\n"

    def _write(self) -> None:
        """Every chain."""
        self._set_texts: list[str] = []
        self._write_arrive()
        self._write_first()
        if self._divert.conntrack_zone:
            self._write_tracked()
        self._write_decision()

    # What has a socket

    def _write_arrive(self) -> None:
        """Packets that have a socket of ours, and those of half sockets."""
        self._chains["arrive"] = [
            "type filter hook prerouting priority raw; policy accept;",
            "socket wildcard vmap { 1 : goto first, 0 : goto full }",
            "tcp flags & (syn | ack) == syn goto first",
            "socket transparent 1 goto half",
            "goto first",
        ]
        self._chains["full"] = [
            "socket transparent 0 goto first",
            f"socket {_has(self._divert.upstream_mark)} {self._to_gateway()}",
            f"{self._client_zone()}{self._to_gateway()}",
        ]
        self._chains["half"] = [*self._closing(), f"{self._client_zone()}{self._to_gateway()}"]

    def _closing(self) -> Iterator[str]:
        """
        The server's FIN for a TIME_WAIT socket of ours belongs to the server leg.
        A half socket has no mark to tell, but by where it comes in we know it.
        """
        if self._divert.conntrack_zone and self._divert.interfaces:
            names = _names(self._divert.interfaces)
            yield f"tcp flags & fin == fin iifname != {names} {self._to_gateway()}"

    def _to_gateway(self) -> str:
        """Mark it for the policy route, and be done."""
        return f"{_set(self._divert.mark)} accept"

    def _client_zone(self) -> str:
        """Track it among the client legs."""
        zone = self._divert.conntrack_zone
        return f"ct zone set {zone} " if zone else ""

    # What has none

    def _write_first(self) -> None:
        """First packets that may be decided about."""
        divert = self._divert
        limited = f"iifname != {_names(divert.interfaces)} accept"
        local = "fib daddr type local accept"
        self._chains["first"] = [
            *([limited] if divert.interfaces else []),
            f"meta {_has(divert.upstream_mark)} accept",
            f'iifname != "lo" {local}' if self._ruleset.loopback else local,
            "fib daddr type { broadcast, anycast, multicast } accept",
            "tcp flags & (syn | ack) == syn goto decide",
            "meta l4proto udp goto decide",
        ]

    def _write_tracked(self) -> None:
        """What is there only if the host tracks connections."""
        if self._ruleset.replies - {Reply.DROP}:
            self._chains["refuse"] = [
                "type filter hook prerouting priority -199; policy accept;",
                f"meta {_has(self._refused())} goto decide",
            ]
        self._chains["translated"] = [
            "type filter hook prerouting priority dstnat + 10; policy accept;",
            f"ct direction reply ct status snat socket transparent 1 {_set(self._divert.mark)}",
        ]
        self._chains["leave"] = [
            "type filter hook output priority raw; policy accept;",
            # on lo it would be a second time that one packet is tracked
            f'oifname != "lo" meta {_has(self._divert.listener_mark)} {self._client_zone()}',
        ]

    def _refused(self) -> Mark:
        """The mark of a packet on its way from C{arrive} to C{refuse}."""
        one, other = self._divert.listener_mark, self._divert.upstream_mark
        return Mark(one.value | other.value, one.mask | other.mask)

    # What becomes of it

    def _write_decision(self) -> None:
        """From family, interface and protocol to the trees, and to the verdicts."""
        families = [family for family in Family if self._branches(family)]
        jumps = [f"{_FAMILIES[family][0]} : goto decide{family.value}" for family in families]
        self._chains["decide"] = [f"meta nfproto vmap {_braces(jumps)}"] if jumps else []
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
        lines = [f"iifname vmap {_braces(jumps)}"] if jumps else []
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
        jumps = [
            f"{protocol.value} : goto {targets[protocol]}"
            for protocol in Protocol
            if protocol in targets
        ]
        self._chains[chain] = [f"meta l4proto vmap {_braces(jumps)}"] if jumps else []

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
            return self._verdict(node.steps[0].verdict)
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
        return f"{self._key(split.dimension)} vmap {_braces(jumps)}"

    def _steps(self, steps: Steps) -> list[str]:
        """Rules that are tried one after the other."""
        return [self._step(step) for step in steps.steps]

    def _step(self, step: Step) -> str:
        conditions = (
            f"{self._key(dimension)} {self._set(dimension, spans)} "
            for dimension, spans in step.conditions
        )
        return "".join(conditions) + f"goto {self._verdict(step.verdict)}"

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
            return _braces(self._span(dimension, span) for span in spans)
        key = (id(spans), dimension)
        if key not in self._sets:
            self._sets[key] = (f"set{len(self._sets)}", spans)
            self._write_set(dimension, *self._sets[key])
        return f"@{self._sets[key][0]}"

    def _write_set(self, dimension: Dimension, name: str, spans: Spans) -> None:
        """A named set."""
        address = {Family.V4: "ipv4_addr", Family.V6: "ipv6_addr"}[self._family]
        kind = "inet_service" if dimension is Dimension.PORT else address
        elements = _braces(self._span(dimension, span) for span in spans)
        self._set_texts.append(
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

    def _verdict(self, verdict: Verdict) -> str:
        """The name of the chain that carries C{verdict} out."""
        if isinstance(verdict, Inspect):
            name, lines = f"inspect_{verdict.listener}", self._inspect(verdict)
        elif isinstance(verdict, Deny):
            name, lines = f"deny_{verdict.reply.value.replace('-', '_')}", self._deny(verdict)
        else:
            assert isinstance(verdict, Forward)
            name, lines = "forward", ["counter accept"]
        self._chains.setdefault(name, lines)
        return name

    def _inspect(self, verdict: Inspect) -> list[str]:
        """
        To the listener. The statement ends the rule if there is none, so that
        nothing behind it in the same rule is to be undone.
        """
        down = {WhenDown.BLOCK: "counter drop", WhenDown.PASS: "counter accept"}
        port = self._ruleset.port(verdict.listener)
        return [
            f"meta l4proto {{ tcp, udp }} tproxy to :{port} "
            f"{self._client_zone()}counter {self._to_gateway()}",
            down[self._divert.when_down],
        ]

    def _deny(self, verdict: Deny) -> list[str]:
        """Refuse, now or in C{refuse}."""
        answers = [f"counter {answer}" for answer in _REJECT[verdict.reply]]
        if verdict.reply is Reply.DROP or not self._divert.conntrack_zone:
            return answers
        refused = self._refused()
        later = f"meta mark & {refused.mask:#x} != {refused.value:#x} {_set(refused)} accept"
        return [later, *answers]


def _has(mark: Mark) -> str:
    """A comparison with C{mark}, to go behind C{meta} or C{socket}."""
    return f"mark & {mark.mask:#x} == {mark.value:#x}"


def _set(mark: Mark) -> str:
    """Set C{mark} and leave the other bits alone."""
    return f"meta mark set meta mark & {0xFFFFFFFF & ~mark.mask:#x} | {mark.value:#x}"


def _names(interfaces: Iterable[str]) -> str:
    return _braces(f'"{name}"' for name in interfaces)


def _braces(items: Iterable[str]) -> str:
    return f"{{ {', '.join(items)} }}"

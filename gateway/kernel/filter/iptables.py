"""
The ruleset as scripts for iptables-restore: the classic DIVERT form, with what was learned since.

iptables can do less in one place than nftables, so the work is spread:

  - raw knows the connection tracking zone, so it decides: what is to be
    inspected gets the divert mark and the client legs' zone; what is to be
    refused gets a mark that nothing else has, both of the gateway's own at once;
  - mangle knows TPROXY: what has the divert mark, and no socket yet, goes to the
    listener of its interface or, without one, nowhere. (TPROXY drops it then, so
    this backend can't pass connections while the gateway is down.) Here replies
    to a masqueraded server leg find their socket in IPv4, for the match looks
    behind the translation. In IPv6 older kernels' match doesn't (6.18's does),
    so there such connections carry the upstream mark on their conntrack entry, too;
  - filter knows REJECT, and only when forwarding. In case somebody's rule accepts
    a refused packet before, it is dropped when it would leave.

C{-m socket} leaves wildcard listeners alone by itself, and C{--restore-skmark}
tells full sockets, which have one of the gateway's marks, from half ones. It puts
the socket's whole mark on the packet: packets for the gateway's sockets lose
foreign bits of theirs.

Rules are tried one after the other. For thousands of them, use nftables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from gateway.kernel.filter.ruleset import Branch, Clause, Deny, Dimension, Inspect, Ruleset
from gateway.policy.connection import Protocol
from gateway.policy.divert import Mark
from gateway.policy.service import Reply
from gateway.policy.spans import EVERY_PORT, Family, Spans

PREFIX = "TPROXYGW_"
"""How the names of our chains start. The listeners' first port and the role follow."""

TABLES = ("filter", "mangle", "raw")
"""The order of installation: what decides comes last."""

_MULTIPORT = 15
"""A multiport match holds so many ports; a range counts twice."""

_FIRST = "-p tcp -m tcp --tcp-flags SYN,ACK SYN"

_REJECT = {
    Family.V4: {
        Reply.RESET: "icmp-port-unreachable",
        Reply.PORT_UNREACHABLE: "icmp-port-unreachable",
        Reply.HOST_UNREACHABLE: "icmp-host-unreachable",
        Reply.NETWORK_UNREACHABLE: "icmp-net-unreachable",
        Reply.PROHIBITED: "icmp-admin-prohibited",
    },
    Family.V6: {
        Reply.RESET: "icmp6-port-unreachable",
        Reply.PORT_UNREACHABLE: "icmp6-port-unreachable",
        Reply.HOST_UNREACHABLE: "icmp6-addr-unreachable",
        Reply.NETWORK_UNREACHABLE: "icmp6-no-route",
        Reply.PROHIBITED: "icmp6-adm-prohibited",
    },
}


def install_script(ruleset: Ruleset, family: Family, saved: str, left_over: set[int]) -> str:
    """
    The script that installs C{ruleset}, and removes its former self and the
    instances on the ports C{left_over}. For C{iptables-restore --noflush}.

    @param saved: what C{iptables-save} says now.
    """
    tables = _Tables(ruleset, family)
    ports = left_over | {ruleset.divert.port}
    return "".join(_table(name, tables.rules[name], saved, ports) for name in TABLES)


def shell_script(ruleset: Ruleset) -> str:
    """The same for both families, for a person at a shell of a host that has none of it yet."""
    commands = {Family.V4: "iptables-restore", Family.V6: "ip6tables-restore"}
    return "".join(
        f"{command} --noflush <<'END'\n{install_script(ruleset, family, '', set())}END\n"
        for family, command in commands.items()
    )


def remove_script(saved: str, ports: set[int]) -> str:
    """The script that removes the instances on C{ports}; empty if there is nothing of them."""
    tables = [name for name in reversed(TABLES) if ports & ports_in(_section(saved, name))]
    return "".join(_table(name, {}, saved, ports) for name in tables)


def restored_script(before: str, now: str, port: int) -> str:
    """The script that makes the instance on C{port} again what it was C{before}."""
    own = f"{PREFIX}{port}_"
    return "".join(
        _table(name, _rules_in(_section(before, name), own), now, {port})
        for name in TABLES
        if own in _section(before, name) + _section(now, name)
    )


def _rules_in(section: str, own: str) -> dict[str, list[str]]:
    """The chains whose names start with C{own}, and the jumps to them."""
    rules: dict[str, list[str]] = {
        chain: [] for chain in re.findall(rf"^:({own}\S+)", section, re.MULTILINE)
    }
    for chain, rule in re.findall(r"^-A (\S+) (.+)$", section, re.MULTILINE):
        if own in f"{chain} {rule}":
            rules.setdefault(chain, []).append(rule)
    return rules


def ports_in(saved: str) -> set[int]:
    """The ports in the names of all our chains."""
    return {int(port) for port in re.findall(rf"^:{PREFIX}(\d+)_", saved, re.MULTILINE)}


def hooked(saved: str, port: int) -> bool:
    """Whether the chains of the instance on C{port} are there and are jumped to."""
    chain = f"{PREFIX}{port}"
    return all(
        re.search(rf"^-A [A-Z]+ .*{chain}_{role}$", saved, re.MULTILINE) for role in ("RAW", "PRE")
    )


def lines_of(saved: str, port: int) -> str:
    """Everything that there is of the instance on C{port}, without counters."""
    own = f"{PREFIX}{port}_"
    lines = (line.partition(" [")[0] for line in saved.splitlines() if own in line)
    return "".join(f"{line}\n" for line in lines)


def _table(name: str, rules: dict[str, list[str]], saved: str, ports: set[int]) -> str:
    """One table's part: the old chains of C{ports} out, the new C{rules} in, in one commit."""
    section = _section(saved, name)
    ours = "|".join(f"{PREFIX}{port}_" for port in sorted(ports))
    old = re.findall(rf"^:((?:{ours})\S+)", section, re.MULTILINE)
    jumps = re.findall(rf"^-A ([A-Z]+ .*-[jg] (?:{ours})\S+)$", section, re.MULTILINE)
    chains = [chain for chain in rules if chain.startswith(PREFIX)]
    lines = [
        f"*{name}",
        *(f":{chain} - [0:0]" for chain in chains),
        *(f"-D {jump}" for jump in jumps),
        *(f"-F {chain}" for chain in old if chain not in chains),
        *(f"-X {chain}" for chain in old if chain not in chains),
        *(
            f"{'-A' if chain in chains else '-I'} {chain} {rule}"
            for chain, content in rules.items()
            for rule in content
        ),
        "COMMIT",
    ]
    return "\n".join(lines) + "\n"


def _section(saved: str, table: str) -> str:
    """The part of C{saved} about C{table}."""
    return saved.partition(f"*{table}\n")[2].partition("COMMIT\n")[0]


class _Tables:
    """
    All rules while they are written: by table, then by chain.

    What is written for a chain of the system itself is inserted at its top.
    """

    def __init__(self, ruleset: Ruleset, family: Family) -> None:
        self._ruleset = ruleset
        self._divert = ruleset.divert
        self._family = family
        self._numbers = 0
        self.rules: dict[str, dict[str, list[str]]] = {table: {} for table in TABLES}
        self._write_raw()
        self._write_mangle()
        self._write_filter()

    def _chain(self, role: str) -> str:
        return f"{PREFIX}{self._divert.port}_{role}"

    def _put(self, table: str, chain: str, *rules: str) -> None:
        self.rules[table].setdefault(chain, []).extend(rules)

    # raw: what has a socket, and what is decided about first packets

    def _write_raw(self) -> None:
        raw, sock, first = (self._chain(role) for role in ("RAW", "SOCK", "FIRST"))
        self._put("raw", "PREROUTING", f"-j {raw}")
        self._put("raw", raw, f"-m socket --transparent --restore-skmark -j {sock}")
        self._put("raw", raw, *(f"{interface}-g {first}" for interface in self._interfaces()))
        self._put("raw", sock, *self._sockets())
        self._put("raw", self._chain("OURS"), f"-j {self._mark(self._divert.mark)}", "-j ACCEPT")
        self._put("raw", self._chain("CLIENT"), *self._zone(), f"-g {self._chain('OURS')}")
        self._put("raw", first, *self._exempt(), f"{_FIRST} -g {self._chain('DECIDE')}")
        self._put("raw", first, f"-p udp -g {self._chain('DECIDE')}")
        self._put("raw", self._chain("REFUSE"), f"-j {self._mark(self._refused())}", "-j ACCEPT")
        self._write_decision("raw")
        if self._divert.conntrack_zone:
            self._put("raw", "OUTPUT", f"-j {self._chain('OUT')}")
            listener = f"! -o lo {_has(self._divert.listener_mark)}"
            self._put("raw", self._chain("OUT"), *(f"{listener} {rule}" for rule in self._zone()))

    def _interfaces(self) -> list[str]:
        """A match for each interface of the divert, or one that matches any."""
        return [f"-i {name} " for name in self._divert.interfaces] or [""]

    def _sockets(self) -> Iterator[str]:
        """The packets of our sockets; what returns is a SYN for a half socket."""
        yield f"{_has(self._divert.upstream_mark)} -g {self._chain('OURS')}"
        yield f"{_has(self._divert.listener_mark)} -g {self._chain('CLIENT')}"
        yield f"{_FIRST} -j RETURN"
        if self._divert.interfaces:
            # a FIN from elsewhere, for a TIME_WAIT socket, is the server's
            for interface in self._interfaces():
                yield f"{interface}-g {self._chain('CLIENT')}"
            yield f"-p tcp -m tcp --tcp-flags FIN FIN -g {self._chain('OURS')}"
        yield f"-g {self._chain('CLIENT')}"

    def _zone(self) -> list[str]:
        zone = self._divert.conntrack_zone
        return [f"-j CT --zone {zone}"] if zone else []

    def _exempt(self) -> Iterator[str]:
        """The gateway's own traffic, and what is for nobody in particular."""
        yield f"{_has(self._divert.upstream_mark)} -j RETURN"
        there = "! -i lo " if self._ruleset.loopback else ""
        yield f"{there}-m addrtype --dst-type LOCAL -j RETURN"
        # IPv6 has no broadcast, and its match says so by an error
        many = {Family.V4: "BROADCAST,ANYCAST,MULTICAST", Family.V6: "ANYCAST,MULTICAST"}
        yield f"-m addrtype --dst-type {many[self._family]} -j RETURN"

    def _mark(self, mark: Mark) -> str:
        """Set C{mark}, and clear our other bits, which a restored socket mark has left."""
        ours = self._divert.mark.mask | self._refused().mask
        return f"MARK --set-xmark {mark.value:#x}/{ours:#x}"

    def _refused(self) -> Mark:
        """The mark of a packet on its way to be rejected."""
        one, other = self._divert.listener_mark, self._divert.upstream_mark
        return Mark(one.value | other.value, one.mask | other.mask)

    # mangle: to the sockets

    def _write_mangle(self) -> None:
        pre, sock, ours = (self._chain(role) for role in ("PRE", "SOCK", "OURS"))
        self._put("mangle", "PREROUTING", f"-j {pre}")
        self._put("mangle", pre, f"-m socket --transparent --restore-skmark -j {sock}")
        self._put("mangle", sock, f"{_has(self._divert.upstream_mark)} -g {ours}")
        self._put("mangle", sock, f"{_has(self._divert.listener_mark)} -g {ours}")
        self._put("mangle", sock, f"{_FIRST} -j RETURN", f"-g {ours}")
        self._put("mangle", ours, f"-j {self._mark(self._divert.mark)}", "-j ACCEPT")
        self._write_translated(pre, ours)
        self._put("mangle", pre, f"{_has(self._divert.mark)} -g {self._chain('TPROXY')}")
        self._put("mangle", self._chain("TPROXY"), *self._to_listeners(), "-j DROP")
        if self._rejects():
            self._put("mangle", "POSTROUTING", f"{_has(self._refused())} -j {self._chain('POST')}")
            self._put("mangle", self._chain("POST"), "-j DROP")

    def _write_translated(self, pre: str, ours: str) -> None:
        """Replies to a masqueraded server leg, where the socket match can't find them."""
        if self._family is Family.V6 and self._divert.conntrack_zone:
            mark = self._divert.upstream_mark
            out = self._chain("OUT")
            self._put("mangle", "OUTPUT", f"-j {out}")
            self._put("mangle", out, f"{_has(mark)} -j CONNMARK --set-xmark {mark}")
            known = f"-m conntrack --ctdir REPLY -m connmark --mark {mark}"
            self._put("mangle", pre, f"{known} -g {ours}")

    def _to_listeners(self) -> Iterator[str]:
        """To the listener of the interface; the last is everybody else's."""
        named = [(f"-i {name} ", n) for n, name in enumerate(self._ruleset.classes) if name]
        for interface, listener in (*named, ("", 0)):
            for protocol in Protocol:
                yield (
                    f"{interface}-p {protocol.value} -j TPROXY "
                    f"--on-port {self._ruleset.port(listener)} --tproxy-mark {self._divert.mark}"
                )

    # filter: what is refused

    def _rejects(self) -> set[Reply]:
        return set(self._ruleset.replies - {Reply.DROP})

    def _write_filter(self) -> None:
        if not self._rejects():
            return
        forward = self._chain("FWD")
        self._put("filter", "FORWARD", f"{_has(self._refused())} -j {forward}")
        if len(self._rejects()) == 1:
            self._put("filter", forward, *self._reject(*self._rejects()))
            return
        self._put("filter", forward, f"-j {self._chain('DECIDE')}")
        # it was refused before somebody rewrote its destination
        self._put("filter", forward, *self._reject(Reply.RESET))
        for reply in self._rejects():
            self._put("filter", self._deny(reply), *self._reject(reply))
        self._write_decision("filter")

    def _deny(self, reply: Reply) -> str:
        return self._chain(reply.name.replace("_UNREACHABLE", ""))

    def _reject(self, reply: Reply) -> Iterator[str]:
        if reply is Reply.RESET:
            yield "-p tcp -j REJECT --reject-with tcp-reset"
        yield f"-j REJECT --reject-with {_REJECT[self._family][reply]}"

    # the decision, one rule after the other

    def _write_decision(self, table: str) -> None:
        """The chains from interface and protocol to the clauses."""
        decide = self._chain("DECIDE")
        self._put(table, decide)
        for index, interface in reversed(list(enumerate(self._ruleset.classes))):
            chain = self._chain(f"IN{index}")
            self._put(table, chain)
            self._put(table, decide, f"{f'-i {interface} ' if interface else ''}-g {chain}")
            for branch in self._branches(interface):
                rules = self._chain(f"{branch.protocol.name}{index}")
                self._put(table, chain, f"-p {branch.protocol.value} -g {rules}")
                self._write_branch(table, rules, branch)

    def _branches(self, interface: str | None) -> list[Branch]:
        return [
            branch
            for branch in self._ruleset.branches
            if branch.family is self._family and branch.interface == interface
        ]

    def _write_branch(self, table: str, chain: str, branch: Branch) -> None:
        for clause in branch.clauses:
            action = self._action(table, clause)
            self._write_clause(table, chain, "", self._levels(branch, clause), action)

    def _action(self, table: str, clause: Clause) -> str:
        """What to do when everything matches."""
        verdict = clause.verdict
        if isinstance(verdict, Deny) and verdict.reply is Reply.DROP:
            return "-j DROP"
        if isinstance(verdict, Deny):
            raw = table == "raw"
            return f"-j {self._chain('REFUSE') if raw else self._deny(verdict.reply)}"
        if isinstance(verdict, Inspect) and table == "raw":
            return f"-j {self._chain('CLIENT')}"
        return "-j ACCEPT" if table == "raw" else "-j DROP"

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
            if self._family is Family.V4:
                networks = summarize_address_range(IPv4Address(first), IPv4Address(end - 1))
                yield from map(str, networks)
            else:
                last = IPv6Address(end - 1)
                yield from map(str, summarize_address_range(IPv6Address(first), last))

    def _write_clause(
        self, table: str, chain: str, match: str, levels: list[list[str]], action: str
    ) -> None:
        """Single alternatives in one rule; several lead to one chain for the levels that follow."""
        while levels and len(levels[0]) == 1:
            match, levels = match + levels[0][0], levels[1:]
        if not levels:
            self._put(table, chain, f"{match}{action}")
            return
        alternatives, *deeper = levels
        if deeper:
            self._numbers += 1
            child = self._chain(str(self._numbers))
            self._write_clause(table, child, "", deeper, action)
            action = f"-j {child}"
        self._put(table, chain, *(f"{match}{alternative}{action}" for alternative in alternatives))


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


def _has(mark: Mark) -> str:
    return f"-m mark --mark {mark}"

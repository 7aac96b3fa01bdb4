"""
The ruleset as an nft script: one table, replaced in one transaction.

Six chains hang on hooks:

  - C{arrive} (prerouting, raw) takes packets whose socket is ours, then decides about all
    others. At raw priority, for the connection tracking zone must be chosen before connection
    tracking sees the packet;
  - C{again} (prerouting, right after connection tracking) decides a second time about what
    C{arrive} could not finish. A refusal is answered there: a reset or ICMP error that belongs to
    no tracked connection is invalid to the host's own stateful rules. And only there is known
    what belongs to a connection that the I{other} end opened, which no rule is about. The
    packet gets there with a mark that nothing else has, both of the gateway's own at once;
  - C{deliver} (prerouting, last) puts the divert mark on what is the gateway's. Last, since others
    write the whole mark (C{meta mark set ct mark}), or ask for the route back with the mark in
    hand (firewalld, NixOS) and would be told that it is this host. And after NAT: replies to a
    server leg that was masqueraded are addressed to this host before;
  - C{astray} (forward) drops what has the divert mark. It is there if somebody took the policy
    route away;
  - C{leave} (output, raw) puts what goes to clients into the client legs' zone;
  - C{told} (output, after connection tracking) brings errors about the gateway's own
    first packets back to it (L{gateway.kernel.filter.own_errors}).

Which packets have a socket (see kernel.md rows 3, 7, 23): C{socket wildcard} and
C{socket mark} know full sockets only; on request and TIME_WAIT sockets they end the rule,
while C{socket transparent} knows them all. So full sockets go first. What remains
that is transparent is a half socket; but not for a SYN, since a client that uses
a port again meets its own TIME_WAIT socket, and the tproxy statement knows
how to find the listener behind it.

What has none is decided by the policy, whatever its TCP flags are. A SYN is diverted at
once. Any other segment is I{late}: it answers a SYN cookie, belongs to a connection that is
older than the gateway, or to one that the server opened, or to none. It is tracked in a zone
that holds for its own direction only, for such a look-up finds both the SYN that it may belong to
(in the client legs' zone) and the connection that the server opened (in zone 0). The
former goes to the listener, who checks the cookie, the latter is left alone, and what
is neither is reset.

There is no MSS clamp. Both legs end at the gateway, so each one's MSS follows its
own route already, and path MTU errors reach the sockets. Where routers further away swallow
those errors, C{net.ipv4.tcp_mtu_probing = 1} is the remedy, not a clamp.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve

from gateway.kernel.filter import own_errors, through
from gateway.kernel.filter.nodes import Nodes
from gateway.kernel.filter.ruleset import Deny, Inspect, Ruleset, Verdict
from gateway.kernel.filter.words import has, names, put
from gateway.policy.divert import Mark, WhenDown
from gateway.policy.service import Reply

PREFIX = "tproxygw_"
"""How the names of our tables start. The listeners' first port follows."""

RULE = "rule"
"""How the names of the chains of rules begin. The rule's number follows."""

_FIRST = "tcp flags & (syn | ack) == syn"
_LATE = "tcp flags & (syn | ack) != syn"

_REJECT = {
    Reply.RESET: ("meta l4proto tcp reject with tcp reset", "reject with icmpx port-unreachable"),
    Reply.DROP: ("drop",),
    Reply.PORT_UNREACHABLE: ("reject with icmpx port-unreachable",),
    Reply.HOST_UNREACHABLE: ("reject with icmpx host-unreachable",),
    Reply.NETWORK_UNREACHABLE: ("reject with icmpx no-route",),
    Reply.PROHIBITED: ("reject with icmpx admin-prohibited",),
}

_RESET = "counter reject with tcp reset"


def table_name(port: int) -> str:
    """The name of the table of the instance whose first listener is on C{port}."""
    return f"{PREFIX}{port}"


def install_script(ruleset: Ruleset, left_over: Iterable[str] = (), queues: bool = True) -> str:
    """
    The script that installs C{ruleset}, in the place of an older one and of
    the tables C{left_over}, or changes nothing at all.

    @param queues: whether packets may wait for a program; else those are dropped that would.
    """
    name = table_name(ruleset.divert.port)
    removed = "".join(remove_script(table) for table in {name, *left_over})
    return f"{removed}table inet {name} {{\n{_Table(ruleset, queues)}}}\n"


def draft_name(port: int) -> str:
    """The name of the table that holds what is to be copied to L{table_name}'s."""
    return f"{table_name(port)}_draft"


def draft_script(ruleset: Ruleset, queues: bool = True) -> str:
    """The script that installs a draft of C{ruleset}: the same table, and nothing goes by it."""
    name = draft_name(ruleset.divert.port)
    return (
        f"{remove_script(name)}table inet {name} {{\n\tflags dormant\n{_Table(ruleset, queues)}}}\n"
    )


def remove_script(table: str) -> str:
    """The script that removes C{table}, whether it is there or not."""
    return f"table inet {table} {{}}\ndelete table inet {table}\n"


class _Table:
    """The content of the table while it is written."""

    def __init__(self, ruleset: Ruleset, queues: bool) -> None:
        self._ruleset = ruleset
        self._divert = ruleset.divert
        self._zone = ruleset.divert.conntrack_zone
        self._chains: dict[str, list[str]] = {}
        self._nodes = Nodes(ruleset, self._chains, self._rule)
        self._write_arrive()
        self._write_first()
        self._write_deliver()
        if self._zone:
            self._write_tracked()
            self._chains.update(own_errors.chains(ruleset.divert))
        if ruleset.through:
            self._chains.update(through.chains(ruleset, queues))
        self._nodes.write()
        if not self._zone:
            self._write_whole()

    def __str__(self) -> str:
        return "".join(self._text())

    def _text(self) -> Iterator[str]:
        """All sets, then all chains."""
        if self._zone:
            yield from own_errors.sets()
        if self._ruleset.through:
            yield from through.sets(self._ruleset)
        yield from self._nodes.sets
        for name, lines in self._chains.items():
            yield f"\tchain {name} {{\n"
            yield from (f"\t\t{line}\n" for line in lines)
            yield "\t}\n"

    # What has a socket

    def _write_arrive(self) -> None:
        """Packets that have a socket of ours, and those of half sockets."""
        self._chains["arrive"] = [
            "type filter hook prerouting priority raw; policy accept;",
            "socket wildcard vmap { 1 : goto first, 0 : goto full }",
            f"{_FIRST} goto first",
            *(through.ANSWERS if self._ruleset.through else ()),
            "socket transparent 1 goto half",
            "goto first",
        ]
        self._chains["full"] = [
            *self._at_home(),
            "socket transparent 0 goto first",
            f"socket {has(self._divert.upstream_mark)} accept",
            f"{self._client_zone()}accept",
        ]
        self._chains["half"] = [*self._closing(), f"{self._client_zone()}accept"]

    def _at_home(self) -> Iterator[str]:
        """On C{lo}, segments for the sockets of client and server themselves: they have one."""
        if self._ruleset.loopback:
            yield f'iifname "lo" {_LATE} socket transparent 0 accept'

    def _closing(self) -> Iterator[str]:
        """
        The server's FIN for a TIME_WAIT socket of ours belongs to the server leg.
        A half socket has no mark to tell, but by where it comes in we know it.
        """
        if self._zone and self._divert.interfaces:
            yield f"tcp flags & fin == fin iifname != {names(self._divert.interfaces)} accept"

    def _client_zone(self) -> str:
        """Track it among the client legs."""
        return f"ct zone set {self._zone} " if self._zone else ""

    def _write_deliver(self) -> None:
        """
        What the policy route is to take. A wildcard listener is found for whatever goes to
        its own port, so there it takes more: the zone, or the mark that C{arrive} set.
        """
        mark = put(self._divert.mark)
        ours = f"ct original zone {self._zone} socket transparent 1 {mark} accept"
        self._chains["deliver"] = [
            "type filter hook prerouting priority 300; policy accept;",
            *([ours] if self._zone else []),
            "socket wildcard vmap { 1 : accept, 0 : goto mine }",
            f"{_FIRST} accept",
            *(through.ANSWERS if self._ruleset.through else ()),
            "goto mine",
        ]
        self._chains["mine"] = [f"socket transparent 1 {mark}"]
        self._chains["astray"] = [
            "type filter hook forward priority raw; policy accept;",
            f"meta {has(self._divert.mark)} counter drop",
        ]

    # What has none

    def _write_first(self) -> None:
        """What may be decided about."""
        divert = self._divert
        limited = f"iifname != {names(divert.interfaces)} accept"
        local = "fib daddr type local accept"
        self._chains["first"] = [
            *([limited] if divert.interfaces else []),
            f"meta {has(divert.upstream_mark)} accept",
            f'iifname != "lo" {local}' if self._ruleset.loopback else local,
            "fib daddr type { broadcast, anycast, multicast } accept",
            "goto decide",
        ]

    def _write_tracked(self) -> None:
        """What is there only if the host tracks connections."""
        undecided = self._undecided()
        self._chains["again"] = [
            "type filter hook prerouting priority -199; policy drop;",
            f"meta mark & {undecided.mask:#x} != {undecided.value:#x} accept",
            "ct direction reply goto spare",
            "meta l4proto { icmp, icmpv6 } ct state related goto spare",
            "ct state invalid counter drop",
            "goto decide",
        ]
        self._chains["spare"] = [f"{self._unmarked()} counter accept"]
        self._chains["later"] = [f"{self._later_zone()}{put(undecided)} accept"]
        self._chains["leave"] = [
            "type filter hook output priority raw; policy accept;",
            # on lo it would be a second time that one packet is tracked
            f'oifname != "lo" meta {has(self._divert.listener_mark)} {self._client_zone()}',
        ]

    def _undecided(self) -> Mark:
        """The mark of a packet on its way from C{arrive} to C{again}."""
        one, other = self._divert.listener_mark, self._divert.upstream_mark
        return Mark(one.value | other.value, one.mask | other.mask)

    def _unmarked(self) -> str:
        return f"meta mark set meta mark & {0xFFFFFFFF & ~self._undecided().mask:#x}"

    def _later_zone(self) -> str:
        """
        If it may be let through, it must remain in the zone of its connection, so that its
        SYN isn't found.
        """
        passing = self._divert.when_down is WhenDown.PASS
        return "" if passing else f"ct original zone set {self._zone} "

    def _write_whole(self) -> None:
        """
        A chain that nothing leads to. The tproxy statement in it makes the kernel put
        fragments together, as connection tracking would: flags and ports hide in them.
        """
        self._chains["whole"] = [f"meta l4proto tcp tproxy to :{self._divert.port}"]

    # What becomes of it

    def _rule(self, number: int, verdict: Verdict) -> str:
        """
        The name of the chain of one rule, where packets are counted: refused ones once, though
        they are decided about twice.
        """
        carried_out = self._verdict(verdict)
        name = f"{RULE}{number}_{carried_out}"
        if name not in self._chains:
            self._chains[name] = [*self._counted_before(verdict), f"counter goto {carried_out}"]
        return name

    def _counted_before(self, verdict: Verdict) -> Iterator[str]:
        """Past the counter, if it was there already."""
        if self._zone and isinstance(verdict, Deny):
            yield f"meta {has(self._undecided())} goto {self._verdict(verdict)}"

    def _verdict(self, verdict: Verdict) -> str:
        """The name of the chain that carries C{verdict} out."""
        if isinstance(verdict, Inspect):
            what = "through" if verdict.through else "inspect"
            name, lines = f"{what}_{verdict.listener}", self._inspect(verdict)
        elif isinstance(verdict, Deny):
            name, lines = f"deny_{verdict.reply.value.replace('-', '_')}", self._deny(verdict)
        else:
            name, lines = "forward", ["counter accept"]
        self._chains.setdefault(name, lines)
        return name

    def _inspect(self, verdict: Inspect) -> list[str]:
        """
        To the listener. The statement ends the rule if there is none, so that
        nothing behind it in the same rule is to be undone.
        """
        down = {WhenDown.BLOCK: "counter drop", WhenDown.PASS: "counter accept"}
        taken = f"meta l4proto {{ tcp, udp }} tproxy to :{self._ruleset.port(verdict.listener)}"
        if not self._zone:
            return [
                f"{taken} counter {put(self._divert.mark)} accept",
                down[self._divert.when_down],
            ]
        late = f"late_{verdict.listener}"
        self._chains.setdefault(late, self._late(self._ruleset.port(verdict.listener)))
        return [
            f"meta {has(self._undecided())} goto {late}",
            *self._shakes(verdict),
            f"{_LATE} goto later",
            f"{taken} {self._client_zone()}counter accept",
            down[self._divert.when_down],
        ]

    def _shakes(self, verdict: Inspect) -> Iterator[str]:
        """What is let through, if client and server are to shake hands."""
        if verdict.through:
            yield from through.shakes(self._verdict(evolve(verdict, through=False)))

    def _late(self, port: int) -> list[str]:
        """A segment of no connection that the server opened: see the top of this module."""
        listener = f"meta l4proto tcp tproxy to :{port}"
        known = f"meta l4proto tcp ct state established tproxy to :{port}"
        if self._divert.when_down is WhenDown.BLOCK:
            return [f"{known} {self._unmarked()} counter accept", _RESET]
        # here it is the connection, not its SYN, that may be known. The zone can't tell later
        return [
            f"{known} {_RESET}",
            f"{listener} {self._unmarked()} {put(self._divert.mark)} counter accept",
            f"{self._unmarked()} counter accept",
        ]

    def _deny(self, verdict: Deny) -> list[str]:
        """Refuse, now or in C{again}."""
        answers = [f"counter {answer}" for answer in _REJECT[verdict.reply]]
        if not self._zone:
            return answers
        undecided = self._undecided()
        later = f"meta mark & {undecided.mask:#x} != {undecided.value:#x} {put(undecided)} accept"
        return [later, *answers]

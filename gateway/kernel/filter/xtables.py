"""
The ruleset as rules of iptables: the classic DIVERT form, with what was learned since.

iptables can do less in one place than nftables, so the work is spread:

  - raw knows the connection tracking zone, so it decides which one a packet belongs to;
  - mangle knows TPROXY, so it decides what becomes of it. It takes no mark from raw, since
    others write the whole mark in between (C{CONNMARK --restore-mark}). What is to be inspected
    goes to the listener of its interface or, without one, nowhere. (TPROXY drops it then, so
    this backend can't pass connections while the gateway is down.) What is to be
    refused, and the segments that are I{late} (see L{gateway.kernel.filter.nftables}), are
    spared if connection tracking says that the other end opened the connection; else the latter
    go to the listener if their SYN is known, and the rest gets a mark that nothing else has, both
    of the gateway's own at once.
    Here replies to a masqueraded server leg find their socket in IPv4, for the match looks
    behind the translation. In IPv6 older kernels' match doesn't (6.18's does),
    so there such connections carry the upstream mark on their conntrack entry, too;
  - filter knows REJECT, and only when forwarding. In case somebody's rule accepts
    a refused packet before, it is dropped when it would leave. What has the divert mark
    there has lost its policy route, and is dropped as well.

C{-m socket} leaves wildcard listeners alone by itself, and C{--restore-skmark}
tells full sockets, which have one of the gateway's marks, from half ones. It puts
the socket's whole mark on the packet: packets for the gateway's sockets lose
foreign bits of theirs.

Nothing of iptables comes after mangle: if chains of nft write whole marks there, as
wg-quick's do to UDP, use nftables.

Rules are tried one after the other, twice for each packet that is forwarded. For thousands of
them, use nftables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.kernel.filter.clauses import Clauses
from gateway.kernel.filter.ruleset import Clause, Deny, Inspect, Ruleset
from gateway.policy.connection import Protocol
from gateway.policy.divert import Mark
from gateway.policy.service import Reply
from gateway.policy.spans import Family

PREFIX = "TPROXYGW_"
"""How the names of our chains start. The listeners' first port and the role follow."""

TABLES = ("filter", "mangle", "raw")
"""The order of installation: what decides comes last."""

_FIRST = "-p tcp -m tcp --tcp-flags SYN,ACK SYN"
_LATE = "-p tcp -m tcp ! --tcp-flags SYN,ACK SYN"
_ERROR = {Family.V4: "-p icmp", Family.V6: "-p ipv6-icmp"}

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


class Tables:
    """
    All rules of one family while they are written.

    What is written for a chain of the system itself is inserted at its top.

    @ivar rules: by table, then by chain.
    """

    def __init__(self, ruleset: Ruleset, family: Family) -> None:
        self._ruleset = ruleset
        self._divert = ruleset.divert
        self._zone = ruleset.divert.conntrack_zone
        self._family = family
        self.rules: dict[str, dict[str, list[str]]] = {table: {} for table in TABLES}
        self._write_raw()
        self._write_mangle()
        self._write_filter()

    def _chain(self, role: str) -> str:
        return f"{PREFIX}{self._divert.port}_{role}"

    def _put(self, table: str, chain: str, *rules: str) -> None:
        self.rules[table].setdefault(chain, []).extend(rules)

    # marks

    def _bits(self, *marks: Mark) -> Mark:
        """These marks at once, and none of our others."""
        divert = self._divert
        all_of_them = (divert.mark, divert.listener_mark, divert.upstream_mark)
        value = sum(mark.value for mark in all_of_them if mark in marks)
        return Mark(value, sum(mark.mask for mark in all_of_them))

    @property
    def _refused(self) -> Mark:
        """Of a packet on its way to be rejected."""
        return self._bits(self._divert.listener_mark, self._divert.upstream_mark)

    @property
    def _spared(self) -> Mark:
        """Of a packet that is left alone, as long as it is in our chains."""
        return self._bits(self._divert.mark, self._divert.upstream_mark)

    # both raw and mangle: what has a socket, and what is decided about the rest

    def _write_first(self, table: str, pre: str) -> None:
        """What may be decided about. A packet that comes with the mark of spared ones is none."""
        first, spared = self._chain("FIRST"), _has(self._spared)
        self._put(table, pre, *(f"{interface}-g {first}" for interface in self._interfaces()))
        self._put(table, first, *self._exempt())
        self._put(table, first, f"{spared} -j {_set(self._bits())}")
        self._put(table, first, f"-j {self._chain('DECIDE')}")
        self._put(table, first, f"{spared} -j {_set(self._bits())}")
        self._put(table, self._chain("SPARE"), f"-j {_set(self._spared)}")

    def _write_decision(
        self, table: str, action: Callable[[Clause], str], spared: str = ""
    ) -> None:
        """The chains from interface and protocol to the clauses."""
        Clauses(self._family, self._chain, self.rules[table], action, spared).write(self._ruleset)

    def _interfaces(self) -> list[str]:
        """A match for each interface of the divert, or one that matches any."""
        return [f"-i {name} " for name in self._divert.interfaces] or [""]

    def _exempt(self) -> Iterator[str]:
        """The gateway's own traffic, and what is for nobody in particular."""
        yield f"{_has(self._divert.upstream_mark)} -j RETURN"
        if self._ruleset.loopback:
            # on lo, client and server have sockets here themselves
            yield f"-i lo {_LATE} -m socket -j RETURN"
        there = "! -i lo " if self._ruleset.loopback else ""
        yield f"{there}-m addrtype --dst-type LOCAL -j RETURN"
        # IPv6 has no broadcast, and its match says so by an error
        many = {Family.V4: "BROADCAST,ANYCAST,MULTICAST", Family.V6: "ANYCAST,MULTICAST"}
        yield f"-m addrtype --dst-type {many[self._family]} -j RETURN"

    # raw: which zone

    def _write_raw(self) -> None:
        raw = self._chain("RAW")
        self._put("raw", "PREROUTING", f"-j {raw}")
        self._put("raw", raw)
        if not self._zone:
            return
        sock, client = self._chain("SOCK"), self._chain("CLIENT")
        self._put("raw", raw, f"-m socket --transparent --restore-skmark -j {sock}")
        self._put("raw", sock, *self._sockets())
        self._put("raw", self._chain("OURS"), f"-j {_set(self._bits())}", "-j ACCEPT")
        self._put("raw", client, self._tracked, f"-g {self._chain('OURS')}")
        self._write_first("raw", raw)
        self._put("raw", self._chain("INSPECT"), f"{_LATE} -j CT --zone-orig {self._zone}")
        self._put("raw", self._chain("INSPECT"), self._tracked, "-j ACCEPT")
        self._write_decision("raw", self._action_in_raw, _has(self._spared))
        self._put("raw", "OUTPUT", f"-j {self._chain('OUT')}")
        listener = f"! -o lo {_has(self._divert.listener_mark)}"
        self._put("raw", self._chain("OUT"), f"{listener} {self._tracked}")

    @property
    def _tracked(self) -> str:
        """Track it among the client legs. A packet that has a zone already keeps it."""
        return f"-j CT --zone {self._zone}"

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

    def _action_in_raw(self, clause: Clause) -> str:
        inspected = isinstance(clause.verdict, Inspect)
        return f"-j {self._chain('INSPECT' if inspected else 'SPARE')}"

    # mangle: to the sockets

    def _write_mangle(self) -> None:
        pre, sock, ours = (self._chain(role) for role in ("PRE", "SOCK", "OURS"))
        self._put("mangle", "PREROUTING", f"-j {pre}")
        self._put("mangle", pre, f"-m socket --transparent --restore-skmark -j {sock}")
        self._put("mangle", sock, f"{_has(self._divert.upstream_mark)} -g {ours}")
        self._put("mangle", sock, f"{_has(self._divert.listener_mark)} -g {ours}")
        self._put("mangle", sock, f"{_FIRST} -j RETURN", f"-g {ours}")
        self._put("mangle", ours, f"-j {_set(self._bits(self._divert.mark))}", "-j ACCEPT")
        self._write_translated(pre, ours)
        self._write_first("mangle", pre)
        self._write_inspection()
        self._write_decision("mangle", self._action_in_mangle, _has(self._spared))
        self._put("mangle", "POSTROUTING", f"{_has(self._refused)} -j {self._chain('POST')}")
        self._put("mangle", self._chain("POST"), "-j DROP")

    def _write_translated(self, pre: str, ours: str) -> None:
        """Replies to a masqueraded server leg, where the socket match can't find them."""
        if self._family is Family.V6 and self._zone:
            mark = self._divert.upstream_mark
            out = self._chain("OUT")
            self._put("mangle", "OUTPUT", f"-j {out}")
            self._put("mangle", out, f"{_has(mark)} -j CONNMARK --set-xmark {mark}")
            known = f"-m conntrack --ctdir REPLY -m connmark --mark {mark}"
            self._put("mangle", pre, f"{known} -g {ours}")

    def _write_inspection(self) -> None:
        """To the listener, at once or if it is not too late; or away."""
        inspect, late, tproxy, refuse = (
            self._chain(role) for role in ("INSPECT", "LATE", "TPROXY", "REFUSE")
        )
        if self._zone:
            known = f"-p tcp -m conntrack --ctstate ESTABLISHED -g {tproxy}"
            self._put("mangle", inspect, f"{_LATE} -g {late}")
            self._put("mangle", late, *self._opened_by_the_other(), known, f"-g {refuse}")
        self._put("mangle", inspect, f"-g {tproxy}")
        self._put("mangle", tproxy, f"-j {_set(self._bits())}", *self._to_listeners(), "-j DROP")
        self._put("mangle", refuse, *self._opened_by_the_other())
        self._put("mangle", refuse, f"-j {_set(self._refused)}", "-j ACCEPT")

    def _opened_by_the_other(self) -> Iterator[str]:
        """Rules are about who opens a connection. An error belongs to what it is about."""
        if self._zone:
            spare = self._chain("SPARE")
            error = {Family.V4: "-p icmp", Family.V6: "-p ipv6-icmp"}[self._family]
            yield f"-m conntrack --ctdir REPLY -g {spare}"
            yield f"{error} -m conntrack --ctstate RELATED -g {spare}"
            yield "-m conntrack --ctstate INVALID -j DROP"

    def _to_listeners(self) -> Iterator[str]:
        """To the listener of the interface; the last is everybody else's."""
        named = [(f"-i {name} ", n) for n, name in enumerate(self._ruleset.classes) if name]
        for interface, listener in (*named, ("", 0)):
            for protocol in (Protocol.TCP, Protocol.UDP):
                yield (
                    f"{interface}-p {protocol.value} -j TPROXY "
                    f"--on-port {self._ruleset.port(listener)} --tproxy-mark {self._divert.mark}"
                )

    def _action_in_mangle(self, clause: Clause) -> str:
        verdict = clause.verdict
        if isinstance(verdict, Inspect):
            return f"-j {self._chain('INSPECT')}"
        if isinstance(verdict, Deny) and verdict.reply is Reply.DROP and not self._zone:
            return "-j DROP"
        return f"-j {self._chain('REFUSE' if isinstance(verdict, Deny) else 'SPARE')}"

    # filter: what is refused

    def _write_filter(self) -> None:
        forward, reject = self._chain("FWD"), self._chain("REJECT")
        self._put("filter", "FORWARD", f"-j {forward}")
        self._put("filter", forward, f"{_has(self._refused)} -g {reject}")
        self._put("filter", forward, f"{_has(self._bits(self._divert.mark))} -j DROP")
        answers = self._answers()
        if len(answers) > 1:
            self._put("filter", reject, f"-j {self._chain('DECIDE')}")
            for reply in answers:
                self._put("filter", self._deny(reply), *self._reject(reply))
            self._write_decision("filter", self._action_in_filter)
            # it was refused before somebody rewrote its destination
            answers = [Reply.RESET]
        self._put("filter", reject, *(rule for reply in answers for rule in self._reject(reply)))

    def _answers(self) -> list[Reply]:
        """In how many ways something is refused. What is late is reset."""
        inspected = any(
            isinstance(clause.verdict, Inspect)
            for branch in self._ruleset.branches
            for clause in branch.clauses
        )
        found = self._ruleset.replies | ({Reply.RESET} if inspected else set())
        return sorted(found, key=lambda reply: reply.value) or [Reply.DROP]

    def _deny(self, reply: Reply) -> str:
        return self._chain(reply.name.replace("_UNREACHABLE", ""))

    def _reject(self, reply: Reply) -> Iterator[str]:
        if reply is Reply.DROP:
            yield "-j DROP"
            return
        if reply is Reply.RESET:
            yield "-p tcp -j REJECT --reject-with tcp-reset"
        yield f"-j REJECT --reject-with {_REJECT[self._family][reply]}"

    def _action_in_filter(self, clause: Clause) -> str:
        verdict = clause.verdict
        if isinstance(verdict, Inspect):
            return f"-j {self._deny(Reply.RESET)}"
        return f"-j {self._deny(verdict.reply)}" if isinstance(verdict, Deny) else "-j DROP"


def _has(mark: Mark) -> str:
    return f"-m mark --mark {mark}"


def _set(mark: Mark) -> str:
    """Set these of our bits, and clear the others, which a restored socket mark may have left."""
    return f"MARK --set-xmark {mark.value:#x}/{mark.mask:#x}"

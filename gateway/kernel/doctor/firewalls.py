"""Checks of what lies between an interface and the gateway: the kernel is asked, by a probe."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.kernel.command import find
from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.kernel.probe.probe import Lost
from gateway.policy.divert import Mark
from gateway.policy.policy import Policy
from gateway.policy.service import Action

FIREWALLD = "inet firewalld"

_SHOWN = 3
"""So many losses are told of in one finding."""

_BASE_CHAIN = r"chain (\S+) \{\s*type \S+ hook input "


def way(host: Host, policy: Policy) -> Iterator[Finding]:
    """Rows 4, 17, 29, and what nobody has thought of."""
    topic = "way to the gateway"
    probed = host.probed(policy)
    if probed is None:
        yield ok(topic, "the kernel is asked for it while a gateway runs")
        return
    if probed.unasked:
        yield warning(
            topic,
            f"only the routing could be asked, not the host's firewall: {probed.unasked}",
            "run the doctor as root, on the host itself, with a kernel that has nf_tables",
        )
    advised: dict[str, list[Lost]] = {}
    for lost in probed.lost:
        advised.setdefault(_mending(host, policy, lost), []).append(lost)
    for mend, found in advised.items():
        shown = "; ".join(map(str, found[:_SHOWN]))
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield trouble(topic, f"what should be inspected does not get here: {shown}{more}", mend)
    if not probed.lost and not probed.unasked:
        yield ok(topic, _praise(probed.asked))


def _praise(asked: int) -> str:
    if not asked:
        return "nothing was to be tried: no client that is inspected is behind an interface"
    return (
        f"the kernel brought {asked} first packets here, made up as clients would send them, one "
        "for each interface, family, protocol and port"
    )


def firewall(host: Host, policy: Policy) -> Iterator[Finding]:
    """
    Diverted packets are input for the host's own firewall. As long as no gateway
    runs, and it can't be tried out, all that can be done is to read its rules.
    """
    probed = host.probed(policy)
    if probed is not None and not probed.unasked:
        yield ok("firewall", "it was tried out, see above")
        return
    mark = policy.divert.mark
    found = [
        *_firewalld(host, policy),
        *(_ufw(host, mark) or _dropping_tables(host, mark)),
        *_dropping_legacy(host, mark),
    ]
    yield from found or [
        ok("firewall", "nothing drops input by default, or the divert mark is accepted")
    ]


# What is known of somebody who drops packets


def _mending(host: Host, policy: Policy, lost: Lost) -> str:
    """What to do about C{lost}."""
    mark = policy.divert.mark
    if lost.by is None:
        if lost.diverted and "iptables-legacy" in lost.why:
            return _accepted_by_legacy(mark)
        return (
            "ip rule; ip -6 rule; sysctl -a | grep -e rp_filter -e src_valid_mark   # compare "
            f"with: tproxygw rules --as ip; ss -lntup 'sport = :{policy.divert.port}'"
        )
    if lost.by.table == FIREWALLD and lost.diverted:
        return _opened_in_firewalld(policy, lost.interface)
    if lost.by.chain.startswith("ufw"):
        return _accepted_by_ufw(mark)
    if not lost.diverted:
        # it has no mark yet by which it could be told from others
        return f"{_listing(lost.by.table, lost.by.chain)}   # and change that rule"
    return _accepted_by_table(host, lost.by.table, mark)


def _listing(table: str, chain: str) -> str:
    """The command that shows a chain, on a host that may have iptables only."""
    family, _, name = table.partition(" ")
    if find("nft") is None and family in _TOOLS:
        return f"{_TOOLS[family]} -t {name} -S {chain}"
    return f"nft -a list chain {table} {chain}"


def _accepted_by_table(host: Host, table: str, mark: Mark) -> str:
    """In front of all that the table says of input."""
    family, _, name = table.partition(" ")
    if family in _TOOLS and name == "filter":
        return f"{_TOOLS[family]} -I INPUT -m mark --mark {mark} -j ACCEPT"
    return "; ".join(
        f"nft 'insert rule {table} {chain} meta mark & {mark.mask:#x} == {mark.value:#x} accept'"
        for chain in re.findall(_BASE_CHAIN, host.tables.get(table, ""))
    )


_TOOLS = {"ip": "iptables", "ip6": "ip6tables"}
"""Whose tables are a program's that does not like it if others change them, by their family."""


def _accepted_by_legacy(mark: Mark) -> str:
    rule = f"-I INPUT -m mark --mark {mark} -j ACCEPT"
    return f"iptables-legacy {rule}; ip6tables-legacy {rule}"


def _accepted_by_ufw(mark: Mark) -> str:
    return (
        f"put '-A ufw-before-input -m mark --mark {mark} -j ACCEPT' at the top of the rules in "
        "/etc/ufw/before.rules, the same with ufw6-before-input in before6.rules; ufw reload"
    )


def _opened_in_firewalld(policy: Policy, interface: str = "") -> str:
    """It rejects at the end of a chain whose policy is accept: no other chain can accept."""
    ports = dict.fromkeys(
        f"{first}{'' if first == last else f'-{last}'}/{rule.protocol.value}"
        for rule in policy.rules
        if policy.services[rule.service].action is Action.INSPECT
        for first, last in rule.ports
    )
    opened = " ".join(f"--add-port={each}" for each in ports)
    default = "firewall-cmd --get-default-zone"
    zone = (
        f"firewall-cmd --get-zone-of-interface={interface} || {default}" if interface else default
    )
    return f"firewall-cmd --permanent --zone=$({zone}) {opened} && firewall-cmd --reload"


# What its rules say


def _firewalld(host: Host, policy: Policy) -> Iterator[Finding]:
    if FIREWALLD in host.tables:
        yield warning(
            "firewall",
            "firewalld rejects what no zone allows, and what is diverted is input to this host: "
            "open the inspected ports in the zone of the clients' interface, unless that is done",
            _opened_in_firewalld(policy),
        )


def _ufw(host: Host, mark: Mark) -> list[Finding]:
    """It drops what is for no address of this host before it asks its own rules."""
    accepted = re.search(rf"^-A ufw-before-input .*--mark {mark} -j ACCEPT", host.iptables, re.M)
    if "-j ufw-not-local" not in host.iptables:
        return []
    if accepted:
        return [ok("firewall", "ufw accepts the divert mark")]
    return [
        warning(
            "firewall",
            "ufw drops what is for no address of this host before it asks its own rules, so that "
            '"ufw allow" does not help: what is diverted never gets in',
            _accepted_by_ufw(mark),
        )
    ]


def _dropping_tables(host: Host, mark: Mark) -> Iterator[Finding]:
    """Chains of nftables, and of iptables' nft variant."""
    for name, listing in host.tables.items():
        for chain, rules in _dropping_chains(listing):
            if not re.search(r"mark [^\n]*accept", rules):
                yield _unaccepted(
                    f"the chain {chain} of table {name}",
                    f"nft 'insert rule {name} {chain} meta mark & {mark.mask:#x} == "
                    f"{mark.value:#x} accept'",
                )


def _dropping_chains(listing: str) -> list[tuple[str, str]]:
    """The chains on the input hook that drop what no rule accepts, with their rules."""
    pattern = r"chain (\S+) \{\s*type filter hook input [^\n]*policy drop;(.*?)\n\t\}"
    return re.findall(pattern, listing, re.DOTALL)


def _dropping_legacy(host: Host, mark: Mark) -> Iterator[Finding]:
    """The chain of iptables' legacy variant, which nft doesn't show."""
    accepting = rf"^-A INPUT .*--mark {mark} .*-j ACCEPT"
    if not re.search(r"^:INPUT DROP", host.legacy, re.MULTILINE):
        return
    if not re.search(accepting, host.legacy, re.MULTILINE):
        yield _unaccepted("the chain INPUT of iptables-legacy", _accepted_by_legacy(mark))


def _unaccepted(where: str, mend: str) -> Finding:
    return warning(
        "firewall",
        f"{where} drops input by default and has no rule that accepts the divert mark: unless "
        "other rules accept what comes from clients, nobody gets through",
        mend,
    )

"""Checks of the packet filter: ours, and what others do with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.kernel.command import CommandError, run
from gateway.kernel.divert import FILTERS
from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.kernel.filter import iptables, nftables, xtables
from gateway.kernel.filter.ruleset import Ruleset, make_ruleset
from gateway.policy.divert import Backend, Mark
from gateway.policy.policy import Policy
from gateway.policy.service import Action
from gateway.policy.spans import Family

_OLDEST = (1, 0, 1)
"""nft that knows C{socket wildcard} and reads large maps in reasonable time."""


def trial(host: Host, policy: Policy) -> Iterator[Finding]:
    """Would the kernel and the tools take our rules? They are asked, and change nothing."""
    topic = "packet filter"
    backend = policy.divert.backend
    if backend is Backend.NONE:
        yield ok(topic, 'somebody else installs the rules (backend = "none")')
        return
    tries = {Backend.NFTABLES: _try_nftables, Backend.IPTABLES: _try_iptables}
    try:
        tries[backend](make_ruleset(policy))
    except CommandError as error:
        yield trouble(topic, f"{backend.value} does not take the rules: {error}", _mending(error))
    else:
        yield ok(topic, f"{backend.value} takes the rules")


def _try_nftables(ruleset: Ruleset) -> None:
    text = run(("nft", "--version"))
    version = tuple(map(int, re.findall(r"\d+", text)[:3]))
    if version < _OLDEST:
        raise CommandError(f"{text.strip()} is too old, it takes 1.0.1")
    # as a draft, for the table itself may be there, and a running gateway's own
    run(("nft", "--check", "-f", "-"), nftables.draft_script(ruleset))


def _try_iptables(ruleset: Ruleset) -> None:
    for family, command in ((Family.V4, "iptables"), (Family.V6, "ip6tables")):
        script = iptables.install_script(ruleset, family, "", set())
        run((f"{command}-restore", "--test", "--noflush"), script)


def _mending(error: CommandError) -> str:
    """What may help against C{error}."""
    text = str(error)
    if "not installed" in text:
        return text.rpartition("run: ")[2]
    if "too old" in text:
        return "apt-get install nftables"
    if "ermission" in text or "ermitted" in text:
        return "run the doctor as root"
    return (
        "modprobe -a nft_tproxy nft_socket nft_fib_inet nft_ct nft_reject_inet "
        "xt_TPROXY xt_socket xt_CT xt_mark xt_multiport xt_addrtype"
    )


def installed(host: Host, policy: Policy) -> Iterator[Finding]:
    """A gateway that runs must have its rules in force."""
    topic = "installed rules"
    divert = policy.divert
    if divert.backend is Backend.NONE or f"port/{divert.port}" not in host.held:
        yield ok(topic, "no gateway with this configuration is running")
    elif FILTERS[divert.backend]().imprint(divert.port):
        yield ok(topic, "the running gateway's rules are in force")
    else:
        yield trouble(
            topic,
            "a gateway is running, but its rules are gone (somebody flushed the packet "
            "filter?): connections pass uninspected",
            "kill -HUP the gateway, which installs them again",
        )


def others(host: Host, policy: Policy) -> Iterator[Finding]:
    """Rules of others that divert, too."""
    topic = "other interception"
    names = [f"the table {name}" for name, listing in host.tables.items() if _intercepts(listing)]
    if "-j TPROXY" in re.sub(rf"^.*{xtables.PREFIX}.*$", "", host.iptables, flags=re.MULTILINE):
        names.append("iptables")
    if not names:
        yield ok(topic, "nobody else diverts connections")
    for name in names:
        yield warning(
            topic,
            f"there are TPROXY rules in {name}: whoever comes first gets the connection",
            "nft list ruleset | grep -i tproxy   # remove them, or keep their ports apart",
        )


def _intercepts(listing: str) -> bool:
    foreign = re.sub(rf"chain {xtables.PREFIX}\w+ {{.*?}}", "", listing, flags=re.DOTALL)
    return re.search(r"\btproxy\b", foreign, re.IGNORECASE) is not None


def firewall(host: Host, policy: Policy) -> Iterator[Finding]:
    """Diverted packets are input for the host's own firewall."""
    mark = policy.divert.mark
    found = [
        *_firewalld(host, policy),
        *(_ufw(host, mark) or _dropping_tables(host, mark)),
        *_dropping_legacy(host, mark),
    ]
    yield from found or [
        ok("firewall", "nothing drops input by default, or the divert mark is accepted")
    ]


def _firewalld(host: Host, policy: Policy) -> Iterator[Finding]:
    """It rejects at the end of a chain whose policy is accept: no other chain can accept."""
    if "inet firewalld" not in host.tables:
        return
    ports = dict.fromkeys(
        f"{first}{'' if first == last else f'-{last}'}/{rule.protocol.value}"
        for rule in policy.rules
        if policy.services[rule.service].action is Action.INSPECT
        for first, last in rule.ports
    )
    opened = " ".join(f"--add-port={each}" for each in ports)
    yield warning(
        "firewall",
        "firewalld rejects what no zone allows, and what is diverted is input to this host: open "
        "the inspected ports in the zone of the clients' interface, unless that is done",
        f"firewall-cmd --permanent --zone=$(firewall-cmd --get-default-zone) {opened} && "
        "firewall-cmd --reload",
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
            f"put '-A ufw-before-input -m mark --mark {mark} -j ACCEPT' at the top of the rules in "
            "/etc/ufw/before.rules, the same with ufw6-before-input in before6.rules; ufw reload",
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
        rule = f"-I INPUT -m mark --mark {mark} -j ACCEPT"
        yield _unaccepted(
            "the chain INPUT of iptables-legacy", f"iptables-legacy {rule}; ip6tables-legacy {rule}"
        )


def _unaccepted(where: str, mend: str) -> Finding:
    return warning(
        "firewall",
        f"{where} drops input by default and has no rule that accepts the divert mark: unless "
        "other rules accept what comes from clients, nobody gets through",
        mend,
    )

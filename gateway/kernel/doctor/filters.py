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
from gateway.kernel.queueing import queues_natively
from gateway.policy.divert import Backend
from gateway.policy.policy import Policy
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
    run(
        ("nft", "--check", "-f", "-"),
        nftables.draft_script(ruleset, not ruleset.through or queues_natively()),
    )


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

"""Checks of kernel settings: what sysctl shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.policy.policy import Policy


def forwarding(host: Host, policy: Policy) -> Iterator[Finding]:
    """A gateway is a router."""
    topic = "forwarding"
    if policy.divert.interfaces == ("lo",):
        yield ok(topic, "not needed, only lo is diverted")
        return
    settings = {"net/ipv4/ip_forward": "IPv4"}
    if _has_ipv6(host):
        settings["net/ipv6/conf/all/forwarding"] = "IPv6"
    for name, family in settings.items():
        dotted = name.replace("/", ".")
        if host.number(name):
            yield ok(topic, f"{dotted} is on")
        else:
            text = f"{dotted} is off: {family} connections that are not inspected go nowhere"
            yield trouble(topic, text, f"sysctl -w {dotted}=1")


def _has_ipv6(host: Host) -> bool:
    """Whether some interface has an IPv6 address that is meant for more than its own link."""
    return any(
        address.version == 6 and not address.is_link_local
        for name, addresses in host.addresses.items()
        for address in addresses
        if name != "lo"
    )


def _strictness(host: Host, name: str) -> int:
    return max(host.number(f"net/ipv4/conf/{which}/rp_filter") for which in ("all", name))


def strict_reverse_path_filter(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 4: strict filtering drops packets that come another way than they would go."""
    topic = "strict reverse path filter"
    strict = [name for name in host.interfaces if name != "lo" and _strictness(host, name) == 1]
    with_routes = host.default_interfaces
    if strict and len(with_routes) > 1:
        yield warning(
            topic,
            f"rp_filter is strict on {', '.join(strict)} and there are default routes by "
            f"{', '.join(with_routes)}: packets that come by the other one are dropped",
            "sysctl -w net.ipv4.conf.all.rp_filter=2",
        )
    else:
        yield ok(topic, "not strict, or there is only one way")


def accept_inherits_marks(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 5. The listeners have a mark of their own, so it does no harm."""
    state = "on" if host.number("net/ipv4/tcp_fwmark_accept") else "off"
    yield ok(
        "marks of accepted connections",
        f"net.ipv4.tcp_fwmark_accept is {state}; the listeners' own mark makes it harmless",
    )


def bridges(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 16: bridged frames that meet the rules as if they were routed."""
    topic = "bridges"
    names = [
        f"net/bridge/bridge-nf-call-{tool}"
        for tool in ("iptables", "ip6tables")
        if host.number(f"net/bridge/bridge-nf-call-{tool}")
    ]
    if not names or not host.bridges:
        yield ok(topic, "no bridge shows its frames to the packet filter")
        return
    for name in names:
        dotted = name.replace("/", ".")
        yield trouble(
            topic,
            f"{dotted} is on and there are bridges ({', '.join(host.bridges)}): frames "
            "that are only bridged meet the gateway's rules (Docker turns it on)",
            f"sysctl -w {dotted}=0",
        )


def helpers(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 20: connection tracking's own FTP and SIP knowledge rewrites what is inspected."""
    topic = "connection tracking helpers"
    found = False
    if host.number("net/netfilter/nf_conntrack_helper"):
        found = True
        yield trouble(
            topic,
            "net.netfilter.nf_conntrack_helper is on: the kernel itself rewrites FTP, SIP, …",
            "sysctl -w net.netfilter.nf_conntrack_helper=0",
        )
    for name, listing in host.tables.items():
        if re.search(r"ct helper set", listing):
            found = True
            yield trouble(
                topic,
                f"the nftables table {name} assigns conntrack helpers, which rewrite "
                "what the gateway inspects",
                f"nft -a list table {name}   # then delete the rules with 'ct helper set'",
            )
    if "--helper" in host.iptables:
        found = True
        yield trouble(
            topic,
            "iptables rules assign conntrack helpers, which rewrite what the gateway inspects",
            "iptables -t raw -S | grep -e --helper   # then delete these rules with -D",
        )
    if not found:
        yield ok(topic, "none is assigned")

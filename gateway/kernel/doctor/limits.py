"""Checks of privileges, ports and limits."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from gateway.kernel import capabilities
from gateway.kernel.descriptors import needed
from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.kernel.filter.ruleset import make_ruleset
from gateway.policy.connection import Protocol
from gateway.policy.policy import Policy
from gateway.policy.rule import ALL_PORTS
from gateway.policy.service import Action


def privileges(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 12: what this process may do is what the gateway may do if started likewise."""
    missing = capabilities.missing({"CAP_NET_ADMIN", *capabilities.TRAFFIC})
    if missing:
        yield warning(
            "privileges",
            f"this shell lacks {', '.join(missing)}: the gateway would not start from here, "
            "and the doctor sees less",
            "run it as root",
        )
    else:
        yield ok("privileges", "enough to start the gateway from here")


def ports(host: Host, policy: Policy) -> Iterator[Finding]:
    """The listeners' ports must be free, unless a gateway has them."""
    topic = "listeners"
    wanted = [port for port in make_ruleset(policy).ports if f"port/{port}" not in host.held]
    used = [port for port in wanted if port in host.listeners("tcp") | host.listeners("udp")]
    if not used:
        yield ok(topic, "the ports are free, or a running gateway's")
    for port in used:
        yield trouble(
            topic,
            f"port {port} is in use by another program",
            f"ss -lntup 'sport = :{port}'   # stop it, or set divert.port to another number",
        )


def udp_services(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 18: a local service on the same port stands in the way of replies."""
    topic = "local UDP services"
    own = set(make_ruleset(policy).ports)
    colliding = sorted(
        port for port in host.listeners("udp") - own if _inspected(policy, Protocol.UDP, port)
    )
    if not colliding:
        yield ok(topic, "none is on a port that is inspected")
    for port in colliding:
        yield warning(
            topic,
            f"a local program listens on UDP port {port} on all addresses, and rules "
            "inspect that port: the gateway may be unable to answer clients from it",
            f"ss -lnup 'sport = :{port}'   # let it listen on the addresses that it needs",
        )


def _inspected(policy: Policy, protocol: Protocol, port: int) -> bool:
    """Whether a rule names C{port}, or a range of ports with it, for inspection."""
    return any(
        first <= port <= last
        for rule in policy.rules
        if rule.protocol is protocol
        and rule.ports != ALL_PORTS
        and policy.services[rule.service].action is Action.INSPECT
        for first, last in rule.ports
    )


def queue(host: Host, policy: Policy) -> Iterator[Finding]:
    """The kernel cuts the listeners' queue down to this."""
    longest, backlog = host.number("net/core/somaxconn"), policy.limits.backlog
    if longest < backlog:
        yield warning(
            "queue",
            f"net.core.somaxconn is {longest}, less than limits.backlog = {backlog}: bursts of "
            "connections are refused earlier",
            f"sysctl -w net.core.somaxconn={backlog}",
        )
    else:
        yield ok("queue", f"net.core.somaxconn is {longest}")


def descriptors(host: Host, policy: Policy) -> Iterator[Finding]:
    """Two for every session."""
    topic = "descriptors"
    wanted = needed(policy.limits)
    highest = host.number("fs/nr_open")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= wanted
    if wanted > highest:
        yield trouble(
            topic,
            f"limits.sessions = {policy.limits.sessions} needs {wanted} file descriptors, and "
            f"the kernel allows a process {highest}",
            f"sysctl -w fs.nr_open={wanted}",
        )
    elif not enough and capabilities.missing({"CAP_SYS_RESOURCE"}):
        yield warning(
            topic,
            f"limits.sessions = {policy.limits.sessions} needs {wanted} file descriptors, and "
            f"from this shell a process may open {hard}",
            f"set LimitNOFILE={wanted} in the systemd unit, or run: ulimit -Hn {wanted}",
        )
    else:
        yield ok(topic, f"{wanted} are needed and can be had")

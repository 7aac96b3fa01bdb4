"""Checks of interfaces, addresses and policy routing."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.kernel import routing
from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.kernel.errors import KernelError
from gateway.policy.divert import Divert
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action
from gateway.policy.zone import Network


def interfaces(host: Host, policy: Policy) -> Iterator[Finding]:
    """A name that is misspelt intercepts nothing."""
    topic = "interfaces"
    named = {*policy.divert.interfaces, *policy.interfaces}
    missing = sorted(named - set(host.interfaces))
    if not missing:
        yield ok(topic, "all that the policy names are there")
    for name in missing:
        yield trouble(
            topic,
            f"there is no interface {name}, so nothing that comes in by it is intercepted; "
            f"there are {', '.join(host.interfaces)}",
            f"correct the name {name} in the configuration, or create the interface",
        )


def taken(host: Host, policy: Policy) -> Iterator[Finding]:
    """Our table and priority must be free, and lo must be up."""
    try:
        routing.check(policy.divert)
    except KernelError as error:
        yield trouble("policy routing", str(error), _mending(policy.divert, str(error)))
    else:
        table, priority = policy.divert.table, policy.divert.rule_priority
        yield ok("policy routing", f"table {table} and priority {priority} are free, or ours")


def _mending(divert: Divert, text: str) -> str:
    if "lo is down" in text:
        return "ip link set lo up"
    return f"ip rule; ip route show table {divert.table}   # see who uses it"


def order(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 17: a rule that comes before ours and takes our packets."""
    topic = "policy routing order"
    divert = policy.divert
    found = [rule for there in host.lookups.values() for rule in routing.in_front(there, divert)]
    if not found:
        yield ok(topic, "no rule comes before the gateway's and takes its packets")
    for rule in dict.fromkeys(found):
        yield trouble(
            topic,
            f'the "ip rule" with {rule} comes before the gateway\'s, and takes diverted packets '
            "elsewhere",
            _moving(divert),
        )


def _moving(divert: Divert) -> str:
    if divert.rule_priority:
        return "set rule_priority = 0 in the [divert] table of gateway.toml"
    return "ip rule   # give it another priority than 0"


def same_segment(host: Host, policy: Policy) -> Iterator[Finding]:
    """Row 21: the server answers the client directly, past the gateway."""
    topic = "servers on the client's segment"
    found = {
        (name, str(network))
        for name in policy.divert.interfaces
        for address in host.addresses.get(name, [])
        for rule in policy.rules
        if policy.services[rule.service].action is Action.INSPECT
        for network in _within(rule, address.network)
    }
    if not found:
        yield ok(topic, "no rule is for servers on a diverted interface's own network")
    for name, network in sorted(found):
        yield warning(
            topic,
            f"a rule inspects connections to {network}, which is on the network of {name} "
            "itself: such a server answers clients of that network directly, and the "
            "connection breaks",
            'move the server to another network, or set source = "gateway" in the service',
        )


def _within(rule: Rule, connected: Network) -> Iterator[Network]:
    """The destinations of C{rule} that are part of the network C{connected}."""
    for network in rule.destinations:
        same = network.version == connected.version
        if (
            same
            and int(connected.network_address) <= int(network.network_address)
            and (int(network.broadcast_address) <= int(connected.broadcast_address))
        ):
            yield network

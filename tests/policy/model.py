"""
A second opinion: what rules mean, written down in the slowest and plainest way.

Shares nothing with L{gateway.policy}'s own arithmetic but the nouns. The
generators make few, closely nested networks, so that rules really meet.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network

from hypothesis import strategies

from gateway.interfaces import Address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.rule import ALL_PORTS, Rule
from gateway.policy.zone import Network

NETWORKS = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/30",
        "10.0.0.0/31",
        "10.0.0.2/31",
        "10.0.0.1/32",
        "10.0.0.2/32",
        "10.0.0.4/31",
        "10.0.0.0/29",
        "0.0.0.0/0",
        "fd00::/126",
        "fd00::/127",
        "fd00::2/127",
        "fd00::1/128",
        "::/0",
    )
)
HOSTS = ("9.9.9.9", *(f"10.0.0.{n}" for n in (0, 1, 2, 3, 4, 6)), *(f"fd00::{n}" for n in range(5)))
PORTS = (1, 2, 3, 4, 5)
RANGES = ((1, 1), (2, 2), (1, 2), (2, 3), (3, 3), (1, 4), (0, 65535))
INTERFACES = ("lan0", "lan1")

networks = strategies.lists(strategies.sampled_from(NETWORKS), max_size=3).map(tuple)
rules = strategies.builds(
    Rule,
    service=strategies.sampled_from(["red", "green", "blue"]),
    sources=networks,
    destinations=networks,
    ports=strategies.one_of(
        strategies.just(ALL_PORTS),
        strategies.lists(strategies.sampled_from(RANGES), min_size=1, max_size=2).map(tuple),
    ),
    protocol=strategies.sampled_from([Protocol.TCP, *Protocol]),
    interfaces=strategies.frozensets(strategies.sampled_from(INTERFACES), max_size=2),
    priority=strategies.sampled_from([0, 0, 0, 1]),
)
addresses = strategies.builds(
    Address, strategies.sampled_from(HOSTS), strategies.sampled_from(PORTS)
)
connections = strategies.builds(
    Connection,
    addresses,
    addresses,
    strategies.sampled_from(list(Protocol)),
    strategies.sampled_from([None, *INTERFACES]),
)

POINTS = tuple(
    Connection(Address(source, 1), Address(destination, port), protocol, interface)
    for source in HOSTS
    for destination in HOSTS
    if (":" in source) == (":" in destination)
    for port in PORTS
    for protocol in Protocol
    for interface in (None, *INTERFACES)
)
"""One connection of each kind that the generated rules can tell apart."""


def matches(rule: Rule, connection: Connection) -> bool:
    """Whether a rule matches, by the book."""
    return (
        rule.protocol is connection.protocol
        and (not rule.interfaces or connection.interface in rule.interfaces)
        and (
            not connection.protocol.has_ports
            or any(first <= connection.destination.port <= last for first, last in rule.ports)
        )
        and (":" in connection.source.host) == (":" in connection.destination.host)
        and holds(rule.sources, connection.source.host)
        and holds(rule.destinations, connection.destination.host)
    )


@lru_cache(maxsize=10_000)
def holds(networks: tuple[Network, ...], host: str) -> bool:
    """Whether networks, or none at all for any, hold an address."""
    return not networks or any(ip_address(host) in each for each in networks)

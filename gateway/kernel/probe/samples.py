"""
Samples: connections that the policy says are to be inspected, one for whatever a host's
firewall is likely to tell apart: interface, family, protocol and port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import islice, product

from attrs import frozen

from gateway.interfaces import Address
from gateway.kernel.probe.links import Link
from gateway.policy.connection import Connection, Protocol
from gateway.policy.handshake import Handshake
from gateway.policy.policy import Policy
from gateway.policy.rule import Rule
from gateway.policy.service import Action, Service
from gateway.policy.zone import Network

FIRST_PORT = 40_000
"""Of the clients that are made up. Each sample has its own, by which it is known again."""

MOST = 128
"""Samples of one probe."""

_MOST_ASKED = 5_000
"""Questions to the policy, so that thousands of rules that match nothing here take no time."""

_MOST_NETWORKS = 4
"""Of one rule, of which an address is tried."""

_PORTS = (443, 80, 25, 53)
"""What a host that opens a part of a range is likely to open. Else the first one."""

_NOBODY = {
    4: ("203.0.113.1", "192.0.2.1", "100.64.0.1"),
    6: ("2001:db8:ffff::1", "fdff:ffff:ffff::1"),
}
"""Addresses for documentation (RFC 5737, RFC 3849) and others that are nobody's."""

_THIS_NETWORK = ip_network("0.0.0.0/8")
"""To which nothing can be sent (RFC 6890)."""

Routed = Callable[[str], int]
"""The number of the interface by which the kernel would send to an address; 0: by none."""


@frozen
class Sample:
    """A connection that a client behind C{link} may make."""

    link: Link
    connection: Connection

    @property
    def version(self) -> int:
        """Of IP."""
        return 6 if ":" in self.connection.source.host else 4

    @property
    def mark(self) -> int:
        """The port by which it is known again."""
        return self.connection.source.port


def samples(policy: Policy, links: Iterable[Link], routed: Routed) -> list[Sample]:
    """
    At most L{MOST}, each with a port of its own.

    @param links: all of the host's.
    """
    there = list(links)
    own = {network.ip for link in there for network in link.networks}
    limited = policy.divert.interfaces
    found = (
        (link, connection)
        for link in there
        if not limited or link.name in limited
        for connection in _Fitting(policy, link, own, routed).connections()
    )
    return [
        Sample(link, connection._replace(source=Address(connection.source.host, port)))
        for port, (link, connection) in enumerate(islice(found, MOST), FIRST_PORT)
    ]


class _Fitting:
    """Looks for what fits the policy at one interface."""

    def __init__(
        self, policy: Policy, link: Link, own: set[IPv4Address | IPv6Address], routed: Routed
    ) -> None:
        self._policy = policy
        self._link = link
        self._own = own
        self._routed = routed
        self._asked = 0

    def connections(self) -> Iterator[Connection]:
        """One for each family, protocol and port."""
        done: set[tuple[int, Protocol, int]] = set()
        for version, rule in product((4, 6), self._rules()):
            for port in _ports(rule):
                if (version, rule.protocol, port) in done:
                    continue
                connection = self._fitting(rule, version, port)
                if connection is not None:
                    done.add((version, rule.protocol, port))
                    yield connection

    def _rules(self) -> list[Rule]:
        services = self._policy.services
        return [
            rule
            for rule in self._policy.rules
            if services[rule.service].action is Action.INSPECT
            and not _is_forwarded(services[rule.service], rule)
            and (not rule.interfaces or self._link.name in rule.interfaces)
        ]

    def _fitting(self, rule: Rule, version: int, port: int) -> Connection | None:
        """A connection for which C{rule} wins."""
        for source, server in product(
            self._sources(rule, version), _servers(rule, version, self._own)
        ):
            self._asked += 1
            if self._asked > _MOST_ASKED:
                return None
            client = Address(source, FIRST_PORT)
            connection = Connection(client, Address(server, port), rule.protocol, self._link.name)
            if self._policy.decide(connection) is rule:
                return connection
        return None

    def _sources(self, rule: Rule, version: int) -> Iterator[str]:
        """Clients that are behind the interface, as far as the routing knows."""
        for host in self._link.neighbours(version):
            if _within(host, rule.sources):
                yield host
        for host in _firsts(rule.sources, version):
            if ip_address(host) not in self._own and self._routed(host) == self._link.index:
                yield host


def _is_forwarded(service: Service, rule: Rule) -> bool:
    """Whether the first packet is the server's, and a sample would get there."""
    return service.handshake is Handshake.THROUGH and rule.protocol is Protocol.TCP


def _servers(rule: Rule, version: int, own: set[IPv4Address | IPv6Address]) -> Iterator[str]:
    """Addresses that are not the host's own."""
    yield from (host for host in _NOBODY[version] if _within(host, rule.destinations))
    for host in _firsts(rule.destinations, version):
        if ip_address(host) not in own:
            yield host


def _firsts(networks: tuple[Network, ...], version: int) -> Iterator[str]:
    """The first address that a host may have, of each of some networks."""
    for network in islice((n for n in networks if n.version == version), _MOST_NETWORKS):
        room = network.num_addresses > 2
        first = network.network_address + (1 if room else 0)
        odd = first.is_loopback or first.is_unspecified or first.is_multicast
        if not odd and first not in _THIS_NETWORK:
            yield str(first)


def _within(host: str, networks: tuple[Network, ...]) -> bool:
    address = ip_address(host)
    return not networks or any(
        address.version == network.version and address in network for network in networks
    )


def _ports(rule: Rule) -> Iterator[int]:
    """One of each of a rule's ranges."""
    for first, last in rule.ports:
        yield next((port for port in _PORTS if first <= port <= last), max(first, 1))

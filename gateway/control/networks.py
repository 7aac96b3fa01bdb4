"""Networks, as they are asked for: an address, or a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from gateway.control.question import Misasked
from gateway.policy.classifier import read_address
from gateway.policy.spans import network_span

Holds = Callable[[str], bool]


def read_network(written: str, key: str) -> Holds:
    """
    What tells whether an address is the one that is C{written}, or in that network.

    @raise Misasked: it is neither.
    """
    try:
        network = ip_network(written, strict=False)
    except ValueError:
        raise Misasked(f"{key}: {written[:64]!r} is neither an address nor a network") from None
    return within([network])


def within(networks: Iterable[IPv4Network | IPv6Network]) -> Holds:
    """What tells whether an address is in one of these."""
    spans = tuple((network.version, *network_span(network)) for network in networks)

    def holds(host: str) -> bool:
        family, number = read_address(host)
        return any(
            version == family.value and first <= number < end for version, first, end in spans
        )

    return holds

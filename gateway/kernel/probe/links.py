"""Links: the interfaces of this host, as far as a probe has to know them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any

from attrs import frozen

_UP = 1
_ETHERNET = 6
"""Bytes of a link address."""


@frozen
class Link:
    """
    One interface that is up.

    @ivar address: its link address, or zeros if it has none, which is what the kernel expects.
    @ivar networks: its own addresses, with their networks.
    """

    index: int
    name: str
    address: bytes
    networks: tuple[IPv4Interface | IPv6Interface, ...]

    def neighbours(self, version: int) -> Iterator[str]:
        """Another address of each of its networks of one family."""
        for own in self.networks:
            if own.version == version and own.network.num_addresses > 3 and not own.is_link_local:
                first = own.network.network_address + 1
                yield str(first if first != own.ip else first + 1)


def links(kernel: Any) -> list[Link]:
    """
    All that are up, but for C{lo}.

    @param kernel: L{gateway.kernel.routing.netlink}.
    """
    networks: dict[int, list[IPv4Interface | IPv6Interface]] = {}
    for message in kernel.get_addr():
        address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if address:
            own = ip_interface(f"{address}/{message['prefixlen']}")
            networks.setdefault(message["index"], []).append(own)
    return [
        Link(
            link["index"],
            link.get_attr("IFLA_IFNAME"),
            _link_address(link),
            tuple(networks.get(link["index"], ())),
        )
        for link in kernel.get_links()
        if link["flags"] & _UP and link.get_attr("IFLA_IFNAME") != "lo"
    ]


def _link_address(link: Any) -> bytes:
    digits = (link.get_attr("IFLA_ADDRESS") or "").replace(":", "")
    address = bytes.fromhex(digits)
    return address if len(address) == _ETHERNET else bytes(_ETHERNET)

"""
The Probe: the kernel itself is asked where a diverted packet would go.

Lists of settings and rules never hold all that there is on a host. So the kernel looks a route
up (RTM_GETROUTE) for a packet with the divert mark that comes in by an interface, as it would for a
real one: policy routing rules, whoever made them, and the check of the way back
(C{rp_filter}, C{src_valid_mark}) included. Nothing is sent, and nothing changes.

What packet filters do afterwards it can't tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from socket import AF_INET, AF_INET6
from typing import Any

from attrs import frozen

from gateway.kernel.routing import families, netlink
from gateway.policy.divert import Divert

_LOCAL = 2
_FAMILIES = {4: AF_INET, 6: AF_INET6}
_ELSEWHERE = {4: "203.0.113.1", 6: "2001:db8:ffff::1"}
"""Addresses for documentation (RFC 5737, RFC 3849): nobody's."""


@frozen
class Lost:
    """Diverted packets of one family that come in by C{interface} don't get here, and C{why}."""

    interface: str
    version: int
    why: str


def probe(divert: Divert) -> list[Lost]:
    """
    From where packets don't get to the gateway; nowhere, if all is well. Its rules must be
    installed. Takes some milliseconds.

    Asked for each interface of the divert, or for all but C{lo}, that has an address, as for
    a packet of some neighbour of it.

    @raise KernelError: the kernel can't be asked.
    """
    with netlink() as kernel:
        return list(_lost(kernel, divert))


def _lost(kernel: Any, divert: Divert) -> Iterator[Lost]:
    for index, name, own in _addresses(kernel):
        wanted = name in divert.interfaces if divert.interfaces else name != "lo"
        neighbour = _neighbour(own)
        if wanted and name != "lo" and neighbour and _FAMILIES[own.version] in families():
            why = _asked(kernel, divert, index, own.version, neighbour)
            if why:
                yield Lost(name, own.version, why)


def _addresses(kernel: Any) -> Iterator[tuple[int, str, IPv4Interface | IPv6Interface]]:
    """The addresses of all interfaces that are up, with number and name."""
    names = {
        link["index"]: link.get_attr("IFLA_IFNAME")
        for link in kernel.get_links()
        if link["flags"] & 1
    }
    for message in kernel.get_addr():
        address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if message["index"] in names and address:
            own = ip_interface(f"{address}/{message['prefixlen']}")
            yield message["index"], names[message["index"]], own


def _neighbour(own: IPv4Interface | IPv6Interface) -> str:
    """Another address of the same network, or none."""
    network = own.network
    if network.num_addresses < 4 or own.is_link_local:
        return ""
    first = network.network_address + 1
    return str(first if first != own.ip else first + 1)


def _asked(kernel: Any, divert: Divert, interface: int, version: int, source: str) -> str:
    """Why a packet does not get here, in words; empty if it does."""
    from pyroute2 import NetlinkError

    try:
        (route, *_) = kernel.route(
            "get",
            family=_FAMILIES[version],
            dst=_ELSEWHERE[version],
            src=source,
            iif=interface,
            mark=divert.mark.value,
        )
    except NetlinkError as error:
        return f"the kernel drops them, since it does not like the way back to {source} ({error})"
    if route["type"] == _LOCAL:
        return ""
    return "a policy routing rule that is not the gateway's leads them elsewhere"

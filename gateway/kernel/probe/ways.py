"""
The ways: where the kernel's routing would send a diverted packet.

It looks a route up (RTM_GETROUTE) for a packet with the divert mark that comes in by an
interface, as it would for a real one: policy routing rules, whoever made them, and the check of
the way back (C{rp_filter}, C{src_valid_mark}) included. Nothing is sent.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6
from typing import Any

from gateway.kernel.probe.samples import Sample
from gateway.policy.divert import Mark

_LOCAL = 2
_FAMILIES = {4: AF_INET, 6: AF_INET6}


def lost_on_the_way(kernel: Any, sample: Sample, mark: Mark) -> str:
    """
    Why the routing does not bring a packet here, in words; empty if it does.

    @param kernel: L{gateway.kernel.routing.netlink}.
    @param mark: the divert mark.
    """
    from pyroute2 import NetlinkError

    source, destination, *_ = sample.connection
    try:
        (route, *_) = kernel.route(
            "get",
            family=_FAMILIES[sample.version],
            dst=destination.host,
            src=source.host,
            iif=sample.link.index,
            mark=mark.value,
        )
    except NetlinkError as error:
        return (
            f"the kernel drops it, since it does not like the way back to {source.host} ({error})"
        )
    if route["type"] == _LOCAL:
        return ""
    return "a policy routing rule that is not the gateway's leads it elsewhere"


def routed(kernel: Any, host: str) -> int:
    """
    The number of the interface by which the kernel would send to C{host}; 0: by none.

    @param kernel: L{gateway.kernel.routing.netlink}.
    """
    from pyroute2 import NetlinkError

    family = AF_INET6 if ":" in host else AF_INET
    try:
        (route, *_) = kernel.route("get", family=family, dst=host)
    except NetlinkError:
        return 0
    return int(route.get_attr("RTA_OIF") or 0)

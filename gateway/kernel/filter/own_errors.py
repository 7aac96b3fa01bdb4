"""
Chains for errors about the gateway's own first packet to a server.

That packet has the client's address, so what this host itself has to say about it goes to the
client, and the socket waits in vain: that a neighbour does not answer (ARP, neighbour discovery),
that a tunnel has no peer, that the host's own rules refuse it. (What a router says comes from
outside, and C{arrive} finds the socket.) So such packets are known for a while, by the
numbers of their tracked connections, and what is said about them gets the mark that the
policy route takes to C{lo} (L{gateway.kernel.routing}), where the socket is found.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.kernel.filter.words import has, put
from gateway.policy.divert import Divert

SET = "opening"
"""The name of the set of connections."""

MOST = 65536
"""Connections that are known; of further ones nothing is heard before C{connect_seconds}."""

SECONDS = 10
"""They are known after each first packet. A neighbour is asked for three seconds."""


def sets() -> Iterator[str]:
    """The connections that the gateway is opening."""
    yield (
        f"\tset {SET} {{\n\t\ttypeof ct id\n\t\tsize {MOST}\n\t\tflags dynamic,timeout\n"
        f"\t\ttimeout {SECONDS}s\n\t}}\n"
    )


def chains(divert: Divert) -> dict[str, list[str]]:
    """All chains, by their names. They need connection tracking."""
    return {
        "told": [
            # a packet that is marked here is routed anew; tracking comes before
            "type route hook output priority mangle + 1; policy accept;",
            "ct state vmap { new : goto open, related : goto about }",
        ],
        "open": [
            f"meta {has(divert.upstream_mark)} tcp flags & (syn | ack) == syn "
            f"update @{SET} {{ ct id }}"
        ],
        "about": [f"ct id @{SET} counter {put(divert.returning_mark)}"],
    }

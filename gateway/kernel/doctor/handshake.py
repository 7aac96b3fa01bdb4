"""Checks of what clients need that shake hands with their servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.kernel import capabilities
from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.policy.policy import Policy

TRIAL = 65535
"""The number of queues that are opened for a trial, and closed: no gateway has that port."""


_FORWARDING = r"chain (\S+) \{\s*type filter hook forward [^\n]*policy drop;(.*?)\n\t\}"
_LEADS_ON = r"(jump|goto) |vmap |accept"
_KNOWN_ONLY = r"ct state [^\n]*(established|related|invalid)|icmp"


def usher(host: Host, policy: Policy) -> Iterator[Finding]:
    """Queues are opened for a trial, and nothing is led to them."""
    topic = "handshakes"
    if not policy.shakes_hands_through:
        return
    lacking = capabilities.missing({"CAP_NET_ADMIN"})
    if lacking:
        yield warning(topic, f"could not be checked without {', '.join(lacking)}", "run it as root")
        return
    yield from _queues(topic)
    yield from _forwarding(topic, host)


def _forwarding(topic: str, host: Host) -> Iterator[Finding]:
    """Chains of others that let no new connection through, as far as can be seen."""
    for name, listing in host.tables.items():
        for chain, rules in re.findall(_FORWARDING, listing, re.DOTALL):
            leading = [one for one in rules.splitlines() if re.search(_LEADS_ON, one)]
            if all(re.search(_KNOWN_ONLY, one) for one in leading):
                yield warning(
                    topic,
                    f"the chain {chain} of table {name} forwards no new connection: clients that "
                    "shake hands with their servers are not connected",
                    f"nft 'insert rule {name} {chain} tcp flags & (syn | rst) != 0x0 accept'",
                )


def _queues(topic: str) -> Iterator[Finding]:
    from gateway.kernel.handshake.queues import Copies, Door, Waiting

    try:
        door = Door(TRIAL)
        door.open()
        door.close()
        for queue in (Copies(TRIAL), Waiting(TRIAL, 1)):
            queue.close()
    except OSError as error:
        yield trouble(
            topic,
            f"packets can't be copied, or can't wait for a program: {error.strerror}; no client is "
            "connected",
            "modprobe nfnetlink_log nfnetlink_queue nft_queue nft_log; or set handshake = "
            '"accepted"',
        )
    else:
        yield ok(topic, "packets can wait for the process that takes both ends over")

"""Checks of what clients need that shake hands with their servers."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.kernel import capabilities
from gateway.kernel.doctor.finding import Finding, ok, trouble, warning
from gateway.kernel.doctor.host import Host
from gateway.policy.policy import Policy

TRIAL = 65535
"""The number of queues that are opened for a trial, and closed: no gateway has that port."""


def usher(_: Host, policy: Policy) -> Iterator[Finding]:
    """Queues are opened for a trial, and nothing is led to them."""
    topic = "handshakes"
    if not policy.shakes_hands_through:
        return
    lacking = capabilities.missing({"CAP_NET_ADMIN"})
    if lacking:
        yield warning(topic, f"could not be checked without {', '.join(lacking)}", "run it as root")
        return
    yield from _queues(topic)


def _queues(topic: str) -> Iterator[Finding]:
    from gateway.kernel.handshake.queues import Copies, Waiting

    try:
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

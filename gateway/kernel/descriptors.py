"""Descriptors: room for both sides of every session that the limits allow."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from gateway.policy.limits import Limits

PER_SESSION = 2
"""The client's side and the server's."""

RESERVE = 256
"""Listeners, announced connections, logs, metrics, plugins, and what Python itself opens."""


def needed(limits: Limits) -> int:
    """How many descriptors a gateway with these limits may have open."""
    return limits.sessions * PER_SESSION + RESERVE


def raise_limit(limits: Limits) -> str:
    """
    Let this process open as many descriptors as C{limits} call for, or as many
    as it may. Call it before privileges are dropped, for only root may go
    beyond the hard limit.

    With fewer than needed the gateway works: it accepts no more sessions than
    it has descriptors for.

    @return: what the operator should know, or C{""}.
    """
    wanted = needed(limits)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _enough(soft, wanted):
        return ""
    if not _enough(hard, wanted):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return ""
        except (ValueError, OSError):
            wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return _explained(limits, needed(limits), hard) if wanted < needed(limits) else ""


def raise_soft() -> None:
    """Let this process open as many descriptors as it may, without asking for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def for_sessions() -> int:
    """How many descriptors sessions may use together."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(0, soft - RESERVE)


def _enough(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted


def _explained(limits: Limits, wanted: int, hard: int) -> str:
    highest = int(Path("/proc/sys/fs/nr_open").read_text())
    if wanted > highest:
        return (
            f"limits.sessions = {limits.sessions} needs {wanted} file descriptors, and the kernel "
            f"allows {highest} for a process; run: sysctl -w fs.nr_open={wanted}"
        )
    return (
        f"limits.sessions = {limits.sessions} needs {wanted} file descriptors, and this process "
        f"may open {hard}; set LimitNOFILE={wanted} in the systemd unit, or lower limits.sessions "
        f"to {max(0, (hard - RESERVE) // PER_SESSION)}"
    )

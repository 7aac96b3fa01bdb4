"""Descriptors: room for both sides of every session that the limits allow."""

from __future__ import annotations

import resource
from pathlib import Path

from gateway.kernel.errors import KernelError
from gateway.policy.limits import Limits

PER_SESSION = 2
"""The client's side and the server's."""

RESERVE = 512
"""Listeners, announced connections, logs, metrics, plugins, and what Python itself opens."""


def needed(limits: Limits) -> int:
    """How many descriptors a gateway with these limits may have open."""
    return limits.sessions * PER_SESSION + RESERVE


def raise_limit(limits: Limits) -> None:
    """
    Let this process open as many descriptors as C{limits} call for. Call it
    before privileges are dropped, for only root may go beyond the hard limit.

    @raise KernelError: it isn't allowed to.
    """
    wanted = needed(limits)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _enough(soft, wanted):
        return
    try:
        new_hard = hard if _enough(hard, wanted) else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, new_hard))
    except (ValueError, OSError):
        raise KernelError(_explained(limits, wanted, hard)) from None


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

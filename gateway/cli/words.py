"""Numbers and times, as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LONG = ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s"))

_LARGE = (("G", 10**9), ("M", 10**6), ("k", 10**3))

SEEN = ("id", "service", "client", "server", "state", "age", "idle")
"""What a table says of each session."""


def duration(seconds: float) -> str:
    """C{0.5 s}, C{42 s}, C{5 m 3 s}, C{2 d 4 h}."""
    for large, name, small, small_name in _LONG:
        if seconds >= large:
            return f"{seconds // large:.0f} {name} {seconds % large // small:.0f} {small_name}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def size(count: float) -> str:
    """C{512}, C{4.5 k}, C{12 M}."""
    for name, unit in _LARGE:
        if count >= unit:
            return (
                f"{count / unit:.1f} {name}" if count < 10 * unit else f"{count / unit:.0f} {name}"
            )
    return f"{count:.0f}"


def rate(of: Mapping[str, float] | None, direction: str) -> str:
    """C{4.5 k/s}; C{-} if nobody knows."""
    return "-" if of is None else f"{size(of[direction])}/s"


def address(of: Mapping[str, Any] | None) -> str:
    """C{10.1.2.3:80}, C{[fd00::1]:80}; C{-} if there is none."""
    if of is None:
        return "-"
    host = f"[{of['ip']}]" if ":" in of["ip"] else of["ip"]
    return f"{host}:{of['port']}"


def seen(session: Mapping[str, Any]) -> tuple[str, ...]:
    """A session in a table, under L{SEEN}."""
    return (
        str(session["id"]),
        session["service"],
        address(session["client"]),
        address(session["server"]),
        session["state"],
        duration(session["age"]),
        duration(session["idle"]),
    )


def moment(seconds: float) -> str:
    """C{2025-11-23 12:00:00 UTC}."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

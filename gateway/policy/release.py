"""What becomes of sessions of which nothing is left to inspect."""

from __future__ import annotations

from attrs import frozen

from gateway.policy.divert import Mark, read_mark
from gateway.policy.settings import option


@frozen
class Release:
    """The C{[release]} table of gateway.toml."""

    kernel: bool = option(
        "Whether the kernel takes over TCP sessions of which nothing is left to inspect, where it "
        "can: packets are then forwarded by a program, and cost the gateway nothing. Needs Linux "
        "6.1, and CAP_BPF for the process that loads it.",
        False,
    )
    sessions: int = option(
        "How many sessions the kernel may have at one time; further ones stay in the gateway. Some "
        "600 bytes each, set aside at the start.",
        16384,
        minimum=1,
        maximum=1048576,
        unit="sessions",
    )
    after_seconds: float = option(
        "How long a session goes on in the gateway when nothing is left to inspect, before the "
        "kernel gets it: for shorter ones it is not worth the trouble.",
        0.5,
        minimum=0.0,
        unit="seconds",
    )
    end_denied: bool = option(
        "Whether a reload ends sessions that the kernel has, if the new policy denies them. Others "
        "keep the policy that they began with.",
        True,
    )
    forwarded_mark: Mark = option(
        "What the program has forwarded carries this mark until it leaves the host. Its own bits.",
        Mark(0x8, 0x8),
        read=read_mark,
    )
    bare_mark: Mark = option(
        "Connections to servers whose clients have no TCP timestamps carry this mark: they are "
        "made without them, too, or they could not be taken over. Its own bits.",
        Mark(0x10, 0x10),
        read=read_mark,
    )

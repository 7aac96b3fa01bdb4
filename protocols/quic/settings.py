"""The settings of the inspector of QUIC: which connections pass."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from gateway.inspector import option
from protocols.tls.conditions import Conditions

Mode = Literal["splice", "refuse"]


@frozen
class Rule(Conditions):
    """A C{[[quic.rule]]}: all of its conditions must hold."""

    mode: Mode = option(
        '"splice" client and server together: nobody can look into it; or "refuse".'
    )


@frozen
class QuicSettings:
    """The table C{[quic]} of a service."""

    mode: Mode = option(
        'What becomes of connections that no [[quic.rule]] is about. "refuse": clients are told at '
        "once, and browsers go on by TCP without a word.",
        "refuse",
    )
    rule: tuple[Rule, ...] = option(
        "Which connections are treated otherwise. The first that is about a connection decides.",
        (),
    )
    without_name: Mode = option(
        "What becomes of clients that say no name, and that no rule is about.", "refuse"
    )
    probe_seconds: float = option(
        "How long it is remembered what certificate a server has, that was asked for it by a "
        "connection of the gateway's own: with TLS, by TCP, at the same port.",
        3600.0,
        unit="seconds",
        minimum=0,
    )
    hello_seconds: float = option(
        "Time for a client to say what it wants.", 5.0, unit="seconds", minimum=0.25
    )
    hello_bytes: int = option(
        "How long a client's first message may be.",
        16384,
        unit="bytes",
        precedent="browsers' have 2,000",
        minimum=512,
        maximum=65536,
    )
    hello_packets: int = option(
        "In so many packets it may come, and so many datagrams are kept meanwhile.",
        16,
        unit="packets",
        precedent="browsers send 2",
        minimum=2,
    )

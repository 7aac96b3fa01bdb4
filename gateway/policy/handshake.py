"""How clients are connected: at once, or only when their servers are."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from gateway.policy.settings import option


class Handshake(Enum):
    """Whose TCP handshake a client's is."""

    ACCEPTED = "accepted"
    """The gateway's: it accepts, and connects to the server afterwards."""

    THROUGH = "through"
    """The server's: the two ends shake hands, and then the gateway takes both ends over."""

    __hash__ = object.__hash__


@frozen
class HandshakeSettings:
    """The C{[handshake]} table of gateway.toml."""

    half_open: int = option(
        'How many connections of services with handshake = "through" may be on their way at one '
        "time, from the client's first packet until the gateway has both ends, for each IP version."
        " Further ones are dropped, as a full backlog would drop them.",
        65536,
        minimum=16,
        maximum=1048576,
        precedent="net.ipv4.tcp_max_syn_backlog is at most 4,096 here, for one listener",
        unit="connections",
    )
    half_open_seconds: float = option(
        "How long such a connection may take, after the last packet of its client or its server "
        "that was let through.",
        75.0,
        minimum=5.0,
        maximum=3600.0,
        precedent="a SYN-ACK is repeated for 63 s (net.ipv4.tcp_synack_retries)",
        unit="seconds",
    )
    waiting: int = option(
        "How many clients' packets may wait for the gateway to decide; further ones are dropped, "
        "and come again.",
        1024,
        minimum=1,
        maximum=65536,
        precedent="nfnetlink_queue holds 1,024 packets",
        unit="packets",
    )

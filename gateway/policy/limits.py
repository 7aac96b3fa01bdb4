"""How much of everything: for the whole gateway, and for one service."""

from __future__ import annotations

from attrs import frozen

from gateway.policy.settings import option


@frozen
class Limits:
    """The C{[limits]} table of gateway.toml."""

    sessions: int = option(
        "Sessions at one time. At the limit, new connections wait in the kernel's queue.",
        20000,
        unit="sessions",
        precedent="HAProxy's maxconn delays in the same way",
        minimum=1,
    )
    sessions_per_client: int = option(
        "Sessions at one time from one client address. More are refused. 0: no limit.",
        500,
        unit="sessions",
        minimum=0,
    )
    backlog: int = option(
        "Connections that the kernel queues for the gateway.",
        4096,
        unit="connections",
        precedent="net.core.somaxconn's default",
        minimum=1,
    )
    stop_seconds: float = option(
        "On a clean stop, running sessions may go on for so long before they are closed.",
        10.0,
        unit="seconds",
        precedent="half of docker's and systemd's patience, and then some",
        minimum=0,
    )


@frozen
class ServiceLimits:
    """The C{[limits]} table of a service file."""

    sessions: int = option(
        "Sessions of this service at one time. More are refused. 0: no limit of its own.",
        0,
        unit="sessions",
        minimum=0,
    )
    sessions_per_client: int = option(
        "Sessions of this service at one time from one client address. 0: no limit of its own.",
        0,
        unit="sessions",
        minimum=0,
    )
    connect_seconds: float = option(
        "Time for each attempt to reach the server.",
        10.0,
        unit="seconds",
        precedent="Squid: 60, HAProxy's examples: 5",
        minimum=0.001,
    )
    idle_seconds: float = option(
        "A session in which neither side sent a byte for so long is closed. 0: never. Left out: "
        "more, if the inspector has limits of its own that need it.",
        300.0,
        unit="seconds",
        precedent="the usual NAT time-out is longer, the usual server's shorter",
        minimum=0,
    )
    total_seconds: float = option(
        "A session is closed after so long, whatever it does. 0: never.",
        0.0,
        unit="seconds",
        minimum=0,
    )
    buffer: int = option(
        "Bytes that may wait for one side before the other side is not read any more.",
        65536,
        unit="bytes",
        precedent="Envoy's per-connection buffer limit is 1 MiB, HAProxy's 16 KiB",
        minimum=4096,
    )
    expectations: int = option(
        "Connections that one session may have announced (FTP data) and that have not come yet.",
        4,
        unit="connections",
        minimum=0,
    )
    announced: int = option(
        "Connections that one session may have announced (FTP data), and that are there. Nobody "
        "has more than one or two; but one that is closed lingers for a few seconds.",
        64,
        unit="connections",
        minimum=1,
    )
    expect_seconds: float = option(
        "An announced connection is waited for so long.",
        60.0,
        unit="seconds",
        precedent="vsftpd's accept_timeout",
        minimum=0.25,
    )

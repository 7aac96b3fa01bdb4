"""Where audit records and metrics go."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from gateway.policy.notation import read_listen
from gateway.policy.settings import option


@frozen
class AuditSettings:
    """The C{[audit]} table of gateway.toml."""

    file: str = option(
        'The file for audit records, one JSON object a line. "-": standard output; '
        '"": none. Opened again on SIGHUP and SIGUSR1.',
        "-",
    )
    buffer: int = option(
        "Audit records that may wait for a slow or full disk, in bytes. Beyond it, "
        "`when_full` applies.",
        1048576,
        unit="bytes",
        minimum=65536,
    )
    when_full: Literal["refuse", "drop"] = option(
        'What to do when audit records can\'t be written: "refuse" new sessions until they '
        'can, or "drop" the records, counted and reported.',
        "refuse",
    )
    refused_per_minute: int = option(
        "Connections that became no session, and are recorded one by one: so many of each "
        "service, protocol and reason in a minute. More are counted in one record, so that a "
        "flood does not fill the disk. 0: no bound.",
        100,
        unit="records",
        precedent="the kernel's net_ratelimit, nftables' limit",
        minimum=0,
    )


@frozen
class MetricsSettings:
    """The C{[metrics]} table of gateway.toml."""

    listen: str = option(
        'Address and port of the Prometheus endpoint, such as "127.0.0.1:9180". "": none.',
        "",
        read=read_listen,
    )

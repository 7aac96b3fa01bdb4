"""
What the files say, before names are looked up: the keys of each table.

The classes with the meaning are L{Policy}, L{Zone}, L{Service} and L{Rule}.
Tables that there may be many of (zones, rules, expectations) are structured one
by one, so that a wrong one does not hide what is wrong with the others.
"""

from __future__ import annotations

from typing import Any, Literal

from attrs import Factory, frozen

from gateway.policy.audit import AuditSettings, MetricsSettings
from gateway.policy.connection import Protocol
from gateway.policy.console import ConsoleSettings
from gateway.policy.control import ControlSettings
from gateway.policy.divert import Divert
from gateway.policy.handshake import Handshake, HandshakeSettings
from gateway.policy.limits import Limits, ServiceLimits
from gateway.policy.notation import read_interface, read_source
from gateway.policy.release import Release
from gateway.policy.service import Action, Reply, Source
from gateway.policy.settings import option
from gateway.policy.spool import SpoolSettings
from gateway.policy.tls import Tls
from gateway.policy.workers import Workers

NO_SERVICE = "none"
"""What C{[[expect]]} says if no rule is to match. No service may have this name."""


@frozen
class GatewayFile:
    """gateway.toml"""

    plugin_path: tuple[str, ...] = option(
        "Folders with inspectors of your own, one Python file each; relative to the "
        "configuration folder.",
        (),
    )
    divert: Divert = option("What the kernel brings to the gateway, and how.", Factory(Divert))
    limits: Limits = option("How much of everything.", Factory(Limits))
    audit: AuditSettings = option("Where audit records go.", Factory(AuditSettings))
    metrics: MetricsSettings = option("Where metrics can be had.", Factory(MetricsSettings))
    control: ControlSettings = option(
        "Who may ask the running gateway, and change something.", Factory(ControlSettings)
    )
    console: ConsoleSettings = option(
        "A page for the operator's browser, and who may see it.", Factory(ConsoleSettings)
    )
    release: Release = option(
        "What becomes of sessions of which nothing is left to inspect.", Factory(Release)
    )
    handshake: HandshakeSettings = option(
        "Room for clients that are connected only if their servers are.",
        Factory(HandshakeSettings),
    )
    spool: SpoolSettings = option(
        "Room for bodies that are held until they are judged.", Factory(SpoolSettings)
    )
    tls: Tls = option("Whose certificates are believed, and who signs our own.", Factory(Tls))
    workers: Workers = option("How many processes handle traffic.", Factory(Workers))


@frozen
class ZoneTable:
    """A C{[zones.NAME]} table of zones.toml."""

    networks: tuple[str, ...] = option(
        "Networks and single addresses. The zone holds every address in them, whatever other "
        "zones hold it, too."
    )


@frozen
class ZonesFile:
    """zones.toml"""

    zones: dict[str, Any] = option("Who is where.", Factory(dict))


@frozen
class RuleTable:
    """A C{[[rule]]} of a service file: all of it must match."""

    from_: tuple[str, ...] = option(
        "Zones, networks or addresses that the client is in. Left out: anyone.", ()
    )
    to: tuple[str, ...] = option(
        "Zones, networks or addresses that the client wants to go to. Left out: anywhere.", ()
    )
    ports: tuple[int | str, ...] = option(
        'Ports that the client wants to go to: numbers, or ranges such as "8080-8089". Left '
        "out: all.",
        (),
    )
    protocol: Protocol | Literal["any"] | tuple[Protocol, ...] | None = option(
        'The protocol, "any", or a list. "icmp" is ICMPv6, too; "other" is all but these. What is '
        'inspected is "tcp", "udp" or both. Left out: "tcp" if it is inspected; else any, or, with '
        "ports, TCP and UDP, for no other one has ports.",
        None,
    )
    interfaces: tuple[str, ...] = option(
        "Interfaces that the connection comes in by. Left out: any that is diverted.", ()
    )
    priority: int = option(
        "Of two rules that match, the one of higher priority wins; of equal ones, the narrower.",
        0,
    )


@frozen
class ExpectTable:
    """A C{[[expect]]} of a service file: a test of the policy, at each check, start and reload."""

    from_: str = option('The client\'s address; a port, as in "10.1.2.3:4000", does not matter.')
    to: str = option('Where it wants to go: "198.51.100.7:80", "[2001:db8::7]:80".')
    service: str = option(
        'The service that must get the connection; "none" if no rule may match. Left out: this '
        "service.",
        "",
    )
    protocol: Protocol = option(
        'The protocol. With "icmp" and "other", addresses have no ports.', Protocol.TCP
    )
    interface: str | None = option(
        "The interface that it comes in by. Left out: one that no rule names.",
        None,
        read=read_interface,
    )
    sni: str = option('The name that its client asks for in TLS. Only with "mode".', "")
    alpn: tuple[str, ...] = option('The protocols that its client offers. Only with "mode".', ())
    query: str = option(
        'What its client asks of DNS: "ads.example", "www.example.org/AAAA". Only with "mode".', ""
    )
    mode: str = option(
        'What the inspector must do with it, by what the client says: "inspect", "splice" or '
        '"refuse"; of DNS, "allow", "nxdomain" and so on. Left out: whatever it does.',
        "",
    )


@frozen
class ServiceFile:
    """A file in services/. Its name is the service's name."""

    action: Action = option(
        "Who treats the connections: the gateway inspects them, or the kernel forwards or "
        "denies them.",
        Action.INSPECT,
    )
    inspector: str = option(
        'The inspector: a name that `tproxygw inspectors` lists ("relay": no inspection), or '
        '"package.module:Class". Only, and always, with action = "inspect".',
        "",
    )
    reply: Reply = option(
        'What the kernel answers. Only with action = "deny".',
        Reply.RESET,
    )
    source: Source | str = option(
        'The address that the server sees: the client\'s with its port ("client"; with any port '
        "if that one can't be had), strictly so (\"client-strict\"), the client's with any port "
        '("client-address"), the gateway\'s ("gateway"), or the address given.',
        Source.CLIENT,
        read=read_source,
    )
    handshake: Handshake = option(
        'When a client is connected: at once, whatever becomes of the server ("accepted"), or only '
        'if its server is, which it shakes hands with ("through"; for TCP, with source = "client" '
        'or "client-strict" and server = "original").',
        Handshake.ACCEPTED,
    )
    server: str | tuple[str, ...] = option(
        'Where to connect to: "original" (where the client wanted to go), a fixed "host:port", '
        '"[address]:port" or "host" (the port that the client wanted), or a list of these, to '
        "be tried in turn.",
        "original",
    )
    rule: tuple[Any, ...] = option(
        "Which connections the service is for. Without any, only other services use it.", ()
    )
    expect: tuple[Any, ...] = option("Tests of the policy.", ())
    limits: ServiceLimits = option("How much of everything.", Factory(ServiceLimits))

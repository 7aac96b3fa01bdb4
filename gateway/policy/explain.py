"""What would happen to a connection, and why: for the operator, before it happens or after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from attrs import Attribute, has

from gateway.interfaces import Address
from gateway.policy.classifier import read_address
from gateway.policy.connection import Connection, Protocol
from gateway.policy.divert import WhenDown
from gateway.policy.foretelling import Said, foretold
from gateway.policy.handshake import Handshake
from gateway.policy.judging import Asks, judged
from gateway.policy.narrower import narrower_in
from gateway.policy.policy import Policy
from gateway.policy.rule import ALL_PORTS, Rule
from gateway.policy.service import Action, Reply, Service, Source, Target
from gateway.policy.settings import default_of, keys_of
from gateway.policy.spans import network_span
from gateway.policy.structure import as_toml, class_within, type_hints

REPLIES = {
    Reply.RESET: "a TCP reset",
    Reply.DROP: "nothing at all",
    Reply.PORT_UNREACHABLE: "ICMP port unreachable",
    Reply.HOST_UNREACHABLE: "ICMP host unreachable",
    Reply.NETWORK_UNREACHABLE: "ICMP network unreachable",
    Reply.PROHIBITED: "ICMP administratively prohibited",
}

SOURCES = {
    Source.CLIENT: "the client's own address and port (another port if that one can't be had)",
    Source.CLIENT_STRICT: "the client's own address and port, or not at all",
    Source.CLIENT_ADDRESS: "the client's own address, from any port",
    Source.GATEWAY: "the gateway's own address",
}

WHEN_DOWN = {
    WhenDown.BLOCK: "while the gateway is down, it is blocked",
    WhenDown.PASS: "while the gateway is down, it passes uninspected",
}

Row = tuple[str, str]
"""A heading, empty if it is that of the row before, and what belongs to it."""


def explain(
    policy: Policy, connection: Connection, said: Said | None = None, asks: Asks | None = None
) -> str:
    """
    Tell what the policy says about a connection, in a few lines.

    @param said: what its client would say first, where an inspector goes by that.
    @param asks: what it would ask for then.
    @raise ValueError: an address of the connection is none.
    """
    rows = explained(policy, connection, said, asks)
    width = max(len(heading) for heading, _ in rows)
    return "\n".join(f"{heading:{width}}  {text}".rstrip() for heading, text in rows)


def check(connection: Connection) -> None:
    """
    Whether there can be such a connection.

    @raise ValueError: its addresses are none, or of two families; or it lacks a port.
    """
    (client, _), (server, _) = (
        read_address(end.host) for end in (connection.source, connection.destination)
    )
    if client is not server:
        raise ValueError("they must both be IPv4, or both IPv6 addresses")
    if connection.protocol.has_ports and not connection.destination.port:
        raise ValueError("the server lacks a port")


def explained(
    policy: Policy, connection: Connection, said: Said | None = None, asks: Asks | None = None
) -> list[Row]:
    """
    The same as rows.

    @raise ValueError: an address of the connection is none.
    """
    return list(_rows(policy, connection, said, asks or Asks()))


def zones_of(policy: Policy, address: Address) -> tuple[str, ...]:
    """
    The names of the zones that hold an address.

    @raise ValueError: it is none.
    """
    family, number = read_address(address.host)
    return tuple(
        zone.name
        for zone in policy.zones.values()
        if any(
            network.version == family.value and first <= number < end
            for network in zone.networks
            for first, end in [network_span(network)]
        )
    )


def _rows(policy: Policy, connection: Connection, said: Said | None, asks: Asks) -> Iterator[Row]:
    yield "connection", str(connection)
    yield "from", _where(policy, connection.source)
    yield "to", _where(policy, connection.destination)
    yield from _interface(policy, connection)
    winner = policy.decide(connection)
    if _excluded(policy, connection):
        yield "kernel", "does not touch it: only interfaces in divert.interfaces are diverted"
        return
    yield from _headed("rules", _matching(policy, connection))
    if winner is None:
        yield "kernel", "does not touch it: it is forwarded, or not, as without the gateway"
        return
    yield from _headed("because", reasons(policy, connection, winner))
    service = policy.services.get(winner.service) or Service(winner.service)
    yield "service", f"{service.name} ({service.place})"
    yield from _headed("kernel", _kernel(policy, connection, service))
    if service.action is Action.INSPECT:
        yield from _headed("gateway", _gateway(connection, service))
        if said is not None:
            yield from _headed("inspector", _foretold(connection, service, said))
        if asks.anything:
            yield from _headed("inside", _inside(policy, connection, service, said, asks))


def _headed(heading: str, lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        yield heading, line
        heading = ""


def _where(policy: Policy, address: Address) -> str:
    names = zones_of(policy, address)
    return f"{address.host} is in {', '.join(names)}" if names else f"{address.host} is in no zone"


def _excluded(policy: Policy, connection: Connection) -> bool:
    """Whether it comes in by an interface that is not diverted."""
    diverted = policy.divert.interfaces
    return (
        bool(diverted)
        and connection.interface is not None
        and (connection.interface not in diverted)
    )


def _interface(policy: Policy, connection: Connection) -> Iterator[Row]:
    diverted = ", ".join(policy.divert.interfaces) or "any"
    if connection.interface is not None:
        yield "interface", f"{connection.interface} (diverted: {diverted})"
    elif policy.interfaces:
        yield "interface", f"not given: taken for one that no rule names (diverted: {diverted})"


def _matching(policy: Policy, connection: Connection) -> Iterator[str]:
    """All rules that match, the one that wins first."""
    found = policy.classifier.matching(connection)
    if not found:
        yield "none matches"
    for number, rule in enumerate(found, 1):
        yield f'{number}. {rule.place} (service "{rule.service}"): {describe(rule)}'


def describe(rule: Rule) -> str:
    """A rule as one line."""
    parts = [
        f"from {clients_of(rule)}",
        f"to {servers_of(rule)}",
        f"{rule.protocol.value} {_ports(rule)}",
    ]
    if rule.interfaces:
        parts.append(f"on {', '.join(sorted(rule.interfaces))}")
    if rule.priority:
        parts.append(f"priority {rule.priority}")
    return ", ".join(parts)


def clients_of(rule: Rule) -> str:
    """Where its clients are, as the file says it."""
    return _names(rule.source_names, rule.sources)


def servers_of(rule: Rule) -> str:
    """Where its servers are, as the file says it."""
    return _names(rule.destination_names, rule.destinations)


def ports_of(rule: Rule) -> str:
    """C{80 8080-8089}, or C{all}."""
    if rule.ports == ALL_PORTS:
        return "all"
    return " ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in rule.ports
    )


def _names(names: tuple[str, ...], networks: Iterable[object]) -> str:
    return " + ".join(names or tuple(map(str, networks))) or "anywhere"


def _ports(rule: Rule) -> str:
    if not rule.protocol.has_ports:
        return "(no ports)"
    return "all ports" if rule.ports == ALL_PORTS else f"ports {ports_of(rule)}"


def reasons(policy: Policy, connection: Connection, winner: Rule) -> Iterator[str]:
    """Why the first of the rules that match wins over each of the others."""
    others = [rule for rule in policy.classifier.matching(connection) if rule is not winner]
    if not others:
        yield "no other rule matches"
    for number, other in enumerate(others, 2):
        yield f"1 goes before {number}: {_reason(policy, winner, other)}"


def _reason(policy: Policy, winner: Rule, other: Rule) -> str:
    if winner.priority != other.priority:
        return f"it has the higher priority ({winner.priority}, not {other.priority})"
    keys = narrower_in(winner, other, policy.divert.interfaces)
    if keys:
        return f"it is narrower in {', '.join(keys)}"
    return "it does not matter, both are of the same service"


def _kernel(policy: Policy, connection: Connection, service: Service) -> Iterator[str]:
    if service.action is Action.FORWARD:
        yield "forwards it: it never reaches the gateway"
    elif service.action is Action.DENY:
        yield f"denies it, and answers with {_reply(service.reply, connection.protocol)}"
    elif _shakes_hands(service, connection):
        yield "forwards its handshake, and then has the gateway take both ends over"
        yield WHEN_DOWN[policy.divert.when_down]
    else:
        yield (
            f"diverts it to port {_listener(policy, connection)}; "
            + (WHEN_DOWN[policy.divert.when_down])
        )
    yield "(but never touches what goes to the gateway's own addresses)"


def _shakes_hands(service: Service, connection: Connection) -> bool:
    """Whether the client shakes hands with the server."""
    through = service.handshake is Handshake.THROUGH
    return through and connection.protocol is Protocol.TCP


def _reply(reply: Reply, protocol: Protocol) -> str:
    if reply is Reply.RESET and protocol is not Protocol.TCP:
        return REPLIES[Reply.PORT_UNREACHABLE]
    return REPLIES[reply]


def _listener(policy: Policy, connection: Connection) -> int:
    """The port of the listener that gets it."""
    if connection.interface in policy.interfaces:
        return policy.divert.port + 1 + policy.interfaces.index(str(connection.interface))
    return policy.divert.port


def _gateway(connection: Connection, service: Service) -> Iterator[str]:
    name = service.maker.name if service.maker else "none"
    yield f"inspector: {name}"
    yield from (f"    {line}" for line in _changed(service.settings))
    yield f"connects to: {_targets(connection, service)}"
    yield f"connects from: {_source(service)}"
    if _shakes_hands(service, connection):
        yield "the client is connected only if the server is"
    changed = _changed(service.limits)
    yield f"limits: {', '.join(changed) or 'the default ones'}"


def _foretold(connection: Connection, service: Service, said: Said) -> Iterator[str]:
    """What the inspector does, by what the client says."""
    found = foretold(service, connection, said)
    if found is None:
        yield "does not go by what a client says first"
        return
    inside = f', what is inside by service "{found.inside}"' if found.inside else ""
    yield f"{said}: {found.mode}{inside} ({found.place})"


def _inside(
    policy: Policy, connection: Connection, service: Service, said: Said | None, asks: Asks
) -> Iterator[str]:
    """What the inspector decides about what is asked for, or who looks inside of it."""
    found = judged(service, connection, asks)
    if found is None:
        said = said or Said(_host(asks.url))
        told = foretold(service, connection, said)
        inner = policy.services.get(told.inside) if told is not None else None
        if inner is not None:
            yield f'what is inside is for service "{inner.name}"'
            found = judged(inner, connection, asks)
    if found is None:
        yield "its inspector does not decide about that"
        return
    yield from map(str, found)


def _host(url: str) -> str:
    """The name that a client asks for in TLS, to get to a URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _targets(connection: Connection, service: Service) -> str:
    """Where the server side goes, in the order of the attempts."""
    if not service.targets:
        return f"{connection.destination}, where the client wanted to go"
    return ", else ".join(_target(each, connection) for each in service.targets)


def _target(target: Target, connection: Connection) -> str:
    return str(Address(target.host, target.port or connection.destination.port))


def _source(service: Service) -> str:
    return SOURCES[service.source] if isinstance(service.source, Source) else service.source


def _changed(settings: Any, table: str = "") -> list[str]:
    """The settings that are not as they would be by default, those in tables too."""
    kind: Any = type(settings)
    if settings is None or not has(kind):
        return []
    hints = type_hints(kind)
    return [
        line
        for key, each in keys_of(kind).items()
        for line in _shown(f"{table}{key}", getattr(settings, each.name), each, hints[each.name])
    ]


def _shown(key: str, value: Any, attribute: Attribute[Any], hint: Any) -> list[str]:
    """One setting, if it is not the default; of files and arrays of tables, that they are there."""
    if value == default_of(attribute):
        return []
    if attribute.metadata.get("file"):
        return [f"{key}: read from files"]
    if class_within(attribute, hint) is None:
        return [f"{key} = {as_toml(value)}"]
    if isinstance(value, tuple):
        return [f"[[{key}]]: {len(value)}"]
    return _changed(value, f"{key}.")

"""From what the files say to what is meant: names of zones and inspectors are looked up here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, evolve, field

from gateway.interfaces import IInspectorMaker
from gateway.policy.connection import ANY, WITH_PORTS, Protocol
from gateway.policy.document import Entry
from gateway.policy.idle import idle_seconds
from gateway.policy.notation import (
    looks_like_network,
    read_interface,
    read_network,
    read_ports,
    read_target,
)
from gateway.policy.place import Place
from gateway.policy.problem import did_you_mean
from gateway.policy.rule import ALL_PORTS, Rule
from gateway.policy.service import Action, Service, Target
from gateway.policy.structure import structure
from gateway.policy.useless import warn_of_interface
from gateway.policy.written import RuleTable, ServiceFile, ZoneTable
from gateway.policy.zone import Network, Zone

T = TypeVar("T")

Find = Callable[[str, tuple[Path, ...]], IInspectorMaker]
"""
Finds an inspector by what a service file says, and the folders of C{plugin_path}.

It raises C{LookupError}, with a message for the operator, if there is none.
"""

RELAY = "relay"
"""The name of the inspector that inspects nothing."""

SETTINGS = "settings"
"""The table for an inspector that has no name of its own: C{"package.module:Class"}."""

ONLY_INSPECTED = ("inspector", "source", "handshake", "server", "limits")
"""Keys that mean nothing to the kernel."""

ORIGINAL = "original"


def resolve_zone(name: str, entry: Entry) -> Zone:
    """A zone with its networks. What is wrong with it is said to C{entry}."""
    table = structure(ZoneTable, entry)
    if table is None:
        return Zone(name, (), entry.place)
    networks = entry.at("networks")
    if not table.networks:
        networks.complain("is empty: a zone needs a network")
    return Zone(name, each_of(networks, table.networks, read_network), entry.place)


def each_of(entry: Entry, values: Sequence[Any], read: Callable[[Any], T]) -> tuple[T, ...]:
    """All elements of an array, each read, and none of them twice."""
    seen: dict[T, None] = {}
    for index, value in enumerate(values):
        try:
            made = read(value)
        except ValueError as error:
            entry.at(index).complain(str(error))
            continue
        if made in seen:
            entry.at(index).complain("is there twice")
        seen[made] = None
    return tuple(seen)


@define
class RuleResolver:
    """
    Turns C{[[rule]]} tables into rules.

    Rules with the same names share their networks: one large zone in many
    rules is one object.
    """

    zones: Mapping[str, Zone]
    interfaces: tuple[str, ...]
    """C{divert.interfaces}"""
    present: Collection[str] | None = None
    """The interfaces of this host; C{None}: not known."""
    _networks: dict[tuple[str, ...], tuple[Network, ...]] = field(factory=dict)

    def resolve(self, service: str, entry: Entry, inspected: bool = True) -> tuple[Rule, ...]:
        """
        A rule for each protocol. What is wrong with it is said to C{entry}.

        @param inspected: whether its service's action is to inspect.
        """
        table = structure(RuleTable, entry)
        if table is None:
            return (Rule(service, place=entry.place),)
        self._refuse_empty(entry)
        protocols = self._protocols(entry, table, inspected)
        rule = Rule(
            service,
            sources=self.networks(entry.at("from"), table.from_),
            destinations=self.networks(entry.at("to"), table.to),
            ports=each_of(entry.at("ports"), table.ports, read_ports) or ALL_PORTS,
            interfaces=self._interfaces(entry.at("interfaces"), table.interfaces),
            priority=table.priority,
            source_names=table.from_,
            destination_names=table.to,
            parts=len(protocols),
            place=entry.place,
        )
        return tuple(evolve(rule, protocol=each) for each in Protocol if each in protocols)

    def _protocols(self, entry: Entry, table: RuleTable, inspected: bool) -> frozenset[Protocol]:
        """What it is for. Ports mean something for TCP and UDP only."""
        written = table.protocol
        if written is None:
            others = WITH_PORTS if table.ports else ANY
            return frozenset({Protocol.TCP}) if inspected else others
        if written == "any":
            found = ANY
        elif isinstance(written, tuple):
            found = frozenset(each_of(entry.at("protocol"), written, lambda each: each))
        else:
            found = frozenset({Protocol(written)})
        if inspected and not found <= WITH_PORTS:
            entry.at("protocol").complain('only "tcp" and "udp" can be inspected')
        elif table.ports and not found <= WITH_PORTS:
            entry.at("protocol").complain(
                'only "tcp" and "udp" have ports: leave out one of both keys'
            )
        return found

    def _refuse_empty(self, entry: Entry) -> None:
        for key, value in entry.value.items():
            if value == []:
                entry.at(key).complain("is empty, which matches nothing: leave it out for all")

    def networks(self, entry: Entry, names: Sequence[str]) -> tuple[Network, ...]:
        """The networks that zones, networks and addresses add up to."""
        key = tuple(names)
        if key not in self._networks:
            found = each_of(entry, key, self._one)
            self._networks[key] = collapsed(each for networks in found for each in networks)
        return self._networks[key]

    def _one(self, text: str) -> tuple[Network, ...]:
        if text in self.zones:
            return self.zones[text].networks
        if looks_like_network(text):
            return (read_network(text),)
        raise ValueError(f'no zone "{text}"{did_you_mean(text, self.zones)}')

    def _interfaces(self, entry: Entry, names: tuple[str, ...]) -> frozenset[str]:
        for index, name in enumerate(names):
            warn_of_interface(entry.at(index), name, self.present)
        return frozenset(each_of(entry, names, self._interface))

    def _interface(self, name: str) -> str:
        if self.interfaces and read_interface(name) not in self.interfaces:
            guess = did_you_mean(name, self.interfaces)
            raise ValueError(f'"{name}" is not in divert.interfaces: it can never match{guess}')
        return read_interface(name)


def collapsed(networks: Iterable[Network]) -> tuple[Network, ...]:
    """The fewest networks that hold the same addresses, IPv4 first."""
    four: list[IPv4Network] = []
    six: list[IPv6Network] = []
    for network in networks:
        if isinstance(network, IPv4Network):
            four.append(network)
        else:
            six.append(network)
    return (*collapse_addresses(four), *collapse_addresses(six))


@define
class ServiceResolver:
    """Turns service files into services."""

    rules: RuleResolver
    find: Find
    plugin_path: tuple[Path, ...]

    def resolve(self, name: str, entry: Entry) -> tuple[Service, ServiceFile]:
        """A service, and what its file says. What is wrong is said to C{entry}."""
        table = structure(ServiceFile, entry, besides=self._settings_key(entry)) or ServiceFile()
        service = Service(
            name,
            action=table.action,
            reply=table.reply,
            source=table.source,
            handshake=table.handshake,
            targets=self._targets(entry.at("server"), table.server),
            limits=table.limits,
            rules=tuple(self._rules(name, entry, table)),
            place=Place(entry.file),
        )
        if entry.value.get("action", table.action.value) != table.action.value:
            return service, table
        self._check_action(entry, table)
        if table.action is Action.INSPECT:
            service = self._inspected(service, table, entry)
        return service, table

    def _settings_key(self, entry: Entry) -> tuple[str, ...]:
        """The name of the inspector's table, if there may be one."""
        inspector = entry.value.get("inspector")
        return (settings_key(inspector),) if isinstance(inspector, str) else ()

    def _rules(self, name: str, entry: Entry, table: ServiceFile) -> Iterator[Rule]:
        for index in range(len(table.rule)):
            inspected = table.action is Action.INSPECT
            yield from self.rules.resolve(name, entry.at("rule", index), inspected)

    def _targets(self, entry: Entry, server: str | tuple[str, ...]) -> tuple[Target, ...]:
        if server == ORIGINAL:
            return ()
        if isinstance(server, tuple):
            if not server:
                entry.complain(f'is empty: leave it out, or write "{ORIGINAL}"')
            return each_of(entry, server, read_target)
        return self._target(entry, server)

    def _target(self, entry: Entry, server: str) -> tuple[Target, ...]:
        """The only target; not one whose name is a slip of the pen."""
        guess = did_you_mean(server, [ORIGINAL])
        try:
            target = read_target(server)
        except ValueError as error:
            entry.complain(f"{error}{guess}")
            return ()
        if guess:
            entry.complain(
                f'"{server}" is too much like a typing mistake{guess} '
                f'If it is a host, write "{server}."'
            )
        return (target,)

    def _inspected(self, service: Service, table: ServiceFile, entry: Entry) -> Service:
        """The service with its inspector and the inspector's settings."""
        if not table.inspector:
            self._miss_inspector(entry.at("inspector"))
            return service
        maker = self._maker(entry.at("inspector"), table.inspector)
        if maker is None:
            return service
        self._check_protocol(maker, service.rules, len(table.rule), entry)
        key = settings_key(table.inspector)
        settings = self._settings(maker, entry, key)
        written = entry.at(key).written() if key in entry.value else {}
        idle = idle_seconds(
            table.limits, settings, entry.at(key), entry.at("limits", "idle_seconds")
        )
        limits = evolve(table.limits, idle_seconds=idle)
        return evolve(
            service,
            maker=maker,
            settings=settings,
            shared=None if settings is None else maker.share(settings),
            written=written,
            limits=limits,
        )

    def _miss_inspector(self, entry: Entry) -> None:
        """Unless it is there and of a wrong type, which has been said, or nothing could be read."""
        if entry.value in (None, ""):
            entry.complain(f'is missing: the name of an inspector, or "{RELAY}" for no inspection')

    def _maker(self, entry: Entry, inspector: str) -> IInspectorMaker | None:
        """
        The maker of an inspector.

        An inspector that is there and can't be imported is not the
        operator's fault: whatever it raises goes on with its own traceback.
        """
        try:
            return self.find(inspector, self.plugin_path)
        except (KeyError, IndexError):
            raise
        except LookupError as error:
            entry.complain(str(error))
            return None

    def _settings(self, maker: IInspectorMaker, entry: Entry, key: str) -> Any:
        kind = self._settings_class(maker, entry.at("inspector"))
        if kind is None:
            if key in entry.value:
                entry.at(key).complain("this inspector has no settings")
            return None
        table = entry.at(key)
        return structure(kind, table if key in entry.value else evolve(table, value={}))

    def _settings_class(self, maker: IInspectorMaker, entry: Entry) -> type | None:
        try:
            kind: type | None = maker.settings()
        except (KeyError, IndexError):
            raise
        except LookupError as error:
            entry.complain(str(error))
            return None
        return kind

    def _check_protocol(
        self, maker: IInspectorMaker, rules: Collection[Rule], written: int, entry: Entry
    ) -> None:
        able = ", ".join(each.upper() for each in sorted(maker.transports))
        unable = {
            rule.place: rule.protocol.value
            for rule in rules
            if rule.protocol in WITH_PORTS and rule.protocol.value not in maker.transports
        }
        for index in range(written):
            asked = unable.get(entry.at("rule", index).place)
            if asked is not None:
                entry.at("rule", index, "protocol").complain(
                    f'inspector "{maker.name}" is for {able}, and this rule for {asked.upper()}'
                )

    def _check_action(self, entry: Entry, table: ServiceFile) -> None:
        """Whether all keys mean something with this action."""
        if table.action is not Action.DENY and "reply" in entry.value:
            entry.at("reply").complain('only makes sense with action = "deny"')
        if table.action is Action.INSPECT:
            return
        for key in (*ONLY_INSPECTED, *self._settings_key(entry)):
            if key in entry.value:
                entry.at(key).complain(
                    f'makes no sense with action = "{table.action.value}": the kernel does it'
                )
        if not table.rule:
            entry.at("action").complain("without a [[rule]] this does nothing")


def settings_key(inspector: str) -> str:
    """The name of the table with an inspector's settings."""
    reserved = {
        *("action", "reply", "rule", "expect", "server", "source", "limits", "inspector"),
        "handshake",
    }
    return SETTINGS if ":" in inspector or inspector in reserved else inspector

"""
Load the configuration: read all files, find all that is wrong, or make a Policy.

In three steps: each file for itself (L{gateway.policy.structure}), names
(L{gateway.policy.resolve}), then what concerns all of it: the order of the
rules, what the kernel can do, and the C{[[expect]]} entries. A policy that is
good may have warnings: what is surely a mistake, and yet can be done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

from gateway.policy.console import check_console
from gateway.policy.divert import Backend, Divert, Mark, WhenDown
from gateway.policy.document import Entry, Networks, read_document
from gateway.policy.expect import Expectation, read_expectation
from gateway.policy.files import Files
from gateway.policy.folder import (
    GATEWAY,
    SERVICES,
    ZONES,
    is_folder,
    is_there,
    listed,
    service_files,
    unread,
    writable,
)
from gateway.policy.locate import Positions
from gateway.policy.named import check_named, named
from gateway.policy.narrower import KEY, rank
from gateway.policy.notation import NAME
from gateway.policy.only_udp import only_udp
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError, Problem
from gateway.policy.ranking import Ranking
from gateway.policy.resolve import (
    Find,
    RuleResolver,
    ServiceResolver,
    resolve_zone,
    settings_key,
)
from gateway.policy.rooted import check_rooted
from gateway.policy.service import Service
from gateway.policy.structure import structure
from gateway.policy.through import check_through
from gateway.policy.uninspected import uninspected
from gateway.policy.useless import no_rule, warn_of_gateway, warn_of_service
from gateway.policy.written import NO_SERVICE, GatewayFile, ServiceFile, ZonesFile
from gateway.policy.zone import Zone

__all__ = ["PolicyError", "Problem", "load"]


def load(directory: Path, find: Find, interfaces: Collection[str] | None = None) -> Policy:
    """
    Load the configuration in a folder.

    @param find: finds the inspectors that service files name.
    @param interfaces: those that this host has, to warn of others; C{None}: not known.
    @raise PolicyError: it is wrong; all that was found is in its C{problems}.
    @raise Exception: an inspector that is there can't be imported; this is
        whatever its import raised.
    """
    return _Loader(directory.absolute(), find, interfaces).load()


class _Loader:
    """Loads one configuration. Steps go on after a mistake, to find the other ones."""

    def __init__(self, directory: Path, find: Find, interfaces: Collection[str] | None) -> None:
        self.directory = directory
        self.find = find
        self.interfaces = interfaces
        self.problems: list[Problem] = []
        self.files = Files(directory, self.problems)

    def load(self) -> Policy:
        """See L{load}."""
        listed(self.directory, str(self.directory))
        paths = service_files(self.directory)
        said = self._read(GATEWAY)
        entry = said or self._nothing(GATEWAY)
        gateway = structure(GatewayFile, entry) or GatewayFile()
        plugin_path = self._plugin_path(entry.at("plugin_path"), gateway.plugin_path)
        zones = self._zones()
        rules = RuleResolver(zones, gateway.divert.interfaces, self.interfaces)
        resolver = ServiceResolver(rules, self.find, plugin_path)
        files = list(self._service_files(paths, resolver))
        services = {service.name: service for _, service, _ in files}
        expectations = list(_expectations(files))
        by_name = set(_named(files, services))
        ranking = self._ranked(services.values(), gateway.divert)
        self.problems += unread(self.directory, self.files.digests, plugin_path)
        self.problems += writable(self.directory, plugin_path)
        warn_of_gateway(entry, gateway, self.interfaces)
        self.problems += no_rule(services.values())
        rootless = said is not None and not entry.at("tls", "root").value
        _check_services(files, by_name, gateway, rootless)
        warnings = self._warnings(ranking, services, expectations)
        policy = self._policy(gateway, plugin_path, zones, services, ranking, warnings)
        check_gateway(entry, policy)
        self._stop_if_wrong()
        for expectation in expectations:
            expectation.check(policy)
        self._stop_if_wrong()
        return policy

    def _policy(
        self,
        gateway: GatewayFile,
        plugin_path: Iterable[Path],
        zones: Mapping[str, Zone],
        services: Mapping[str, Service],
        ranking: Ranking,
        warnings: tuple[Problem, ...],
    ) -> Policy:
        """All that was found, as one."""
        return Policy(
            divert=gateway.divert,
            limits=gateway.limits,
            audit=gateway.audit,
            metrics=gateway.metrics,
            control=gateway.control,
            console=gateway.console,
            release=gateway.release,
            handshake=gateway.handshake,
            spool=gateway.spool,
            tls=gateway.tls,
            workers=gateway.workers,
            plugin_path=tuple(map(str, plugin_path)),
            zones=zones,
            services=services,
            rules=ranking.rules,
            files=self.files.digests,
            warnings=warnings,
        )

    def _warnings(
        self,
        ranking: Ranking,
        services: Mapping[str, Service],
        expectations: Iterable[Expectation],
    ) -> tuple[Problem, ...]:
        """All warnings, if nothing is so wrong that the policy is refused."""
        meant = [expectation.connection for expectation in expectations]
        found = *uninspected(ranking, services, meant), *only_udp(ranking, services, meant)
        return PolicyError([*self.problems, *found]).warnings

    def _stop_if_wrong(self) -> None:
        if not all(problem.warning for problem in self.problems):
            raise PolicyError(self.problems)

    def _read(self, file: str, networks: Networks | None = None) -> Entry | None:
        """A file, or C{None} if it can't be read."""
        try:
            return read_document(self.directory, file, self.problems, self.files, networks)
        except PolicyError as error:
            self.problems += error.problems
            return None

    def _nothing(self, file: str) -> Entry:
        """What stands for a file that can't be read."""
        return Entry({}, file, Positions({}, [0]), self.problems)

    def _plugin_path(self, entry: Entry, folders: tuple[str, ...]) -> tuple[Path, ...]:
        found = tuple(self.directory / folder for folder in folders)
        for index, folder in enumerate(found):
            if not is_folder(folder):
                entry.at(index).complain(f"there is no folder {folder}")
        return tuple(filter(is_folder, found))

    def _zones(self) -> dict[str, Zone]:
        if not is_there(self.directory / ZONES):
            return {}
        entry = self._read(ZONES) or self._nothing(ZONES)
        tables = structure(ZonesFile, entry) or ZonesFile()
        for name in tables.zones:
            _check_name("zone", name, entry.at("zones", name))
        return {name: resolve_zone(name, entry.at("zones", name)) for name in tables.zones}

    def _service_files(
        self, paths: Iterable[Path], resolver: ServiceResolver
    ) -> Iterator[tuple[Entry, Service, ServiceFile]]:
        """All services, by their files."""
        for path in paths:
            file = f"{SERVICES}/{path.name}"
            entry = self._read(file, resolver.rules.networks)
            if entry is None:
                yield self._nothing(file), Service(path.stem), ServiceFile()
                continue
            _check_name("service", path.stem, entry)
            yield entry, *resolver.resolve(path.stem, entry)

    def _ranked(self, services: Iterable[Service], divert: Divert) -> Ranking:
        """The rules in deciding order, if they and their zones are sound in themselves."""
        rules = tuple(rule for service in services for rule in service.rules)
        if any(_concerns_rules(problem) for problem in self.problems):
            return Ranking(())
        try:
            return rank(rules, divert.interfaces)
        except PolicyError as error:
            self.problems += error.problems
            return Ranking(())


def _check_services(
    files: Iterable[tuple[Entry, Service, ServiceFile]],
    by_name: Collection[str],
    gateway: GatewayFile,
    rootless: bool,
) -> None:
    """
    What does not go together with gateway.toml, or with others, is said to the services' files.

    @param by_name: services that settings of others name.
    @param rootless: no certificates can be made.
    """
    for file, service, table in files:
        check_through(file, service, gateway.divert)
        warn_of_service(file, service, by_name, gateway.limits)
        if rootless:
            check_rooted(service.settings, file.at(settings_key(table.inspector)))


def _concerns_rules(problem: Problem) -> bool:
    """Whether the rules can't be compared with this: some are missing, or not what is meant."""
    if problem.warning:
        return False
    table = problem.key.partition(".")[0]
    return table in ("", KEY, "zones") or problem.key == "divert.interfaces"


def _expectations(files: Iterable[tuple[Entry, Service, ServiceFile]]) -> Iterator[Expectation]:
    known = [service.name for _, service, _ in files]
    for entry, service, table in files:
        for index in range(len(table.expect)):
            found = read_expectation(entry.at("expect", index), service.name, known)
            if found is not None:
                yield found


def _named(
    files: Iterable[tuple[Entry, Service, ServiceFile]], services: Mapping[str, Service]
) -> Iterator[str]:
    """The services that settings of others name; such as can't be meant are said to the files."""
    for file, service, table in files:
        entries = tuple(_naming(file, service, table))
        check_named(service, entries, services)
        yield from (each.value for each in entries)


def _naming(entry: Entry, service: Service, table: ServiceFile) -> Iterable[Entry]:
    """What in a service's settings names another service."""
    kind = None if service.maker is None else service.maker.settings()
    return () if kind is None else named(kind, entry.at(settings_key(table.inspector)))


def _check_name(what: str, name: str, entry: Entry) -> None:
    if not NAME.fullmatch(name):
        entry.complain(
            f'"{name}" is no name for a {what}: letters, digits, "_", "-" and ".", with a letter '
            'or "_" first'
        )
    if what == "service" and name == NO_SERVICE:
        entry.complain(f'no service may be called "{name}": [[expect]] means "no rule" by it')


def check_gateway(entry: Entry, policy: Policy) -> None:
    """What does not go together is said to C{entry}: all of gateway.toml."""
    check_divert(entry.at("divert"), policy)
    check_marks(entry, policy)
    check_console(entry.at("console"), policy.console)


def check_divert(entry: Entry, policy: Policy) -> None:
    """What the kernel can't do, or would do wrong, is said to C{entry}: the C{[divert]} table."""
    divert = policy.divert
    if divert.backend is Backend.IPTABLES and divert.when_down is WhenDown.PASS:
        entry.at("when_down").complain(
            'iptables can\'t let connections pass while the gateway is down: use "block", or '
            'backend = "nftables"'
        )
    if divert.when_stopped is WhenDown.BLOCK and divert.when_down is WhenDown.PASS:
        entry.at("when_stopped").complain(
            'can\'t be "block" while when_down is "pass": the rules would stay, and let everything '
            "pass"
        )
    last = divert.port + len(policy.interfaces)
    if last > 65535:
        entry.at("port").complain(
            f"must be at most {65535 - len(policy.interfaces)}: rules name "
            f"{len(policy.interfaces)} interfaces, and each needs a port after this one"
        )


def check_marks(entry: Entry, policy: Policy) -> None:
    """
    Make sure that no two marks mean the same.

    @param entry: all of gateway.toml.
    """
    for ((where, first), ours), (second, theirs) in combinations(_marks(policy).items(), 2):
        if ours.mask & theirs.mask:
            entry.at(second[0]).at(second[1]).complain(
                f"{theirs} has bits in common with {where}.{first} = {ours}: each needs its own"
            )


def _marks(policy: Policy) -> Mapping[tuple[str, str], Mark]:
    """All marks that are in use, by their tables and keys."""
    divert, release = policy.divert, policy.release
    marks = {
        ("divert", "mark"): divert.mark,
        ("divert", "listener_mark"): divert.listener_mark,
        ("divert", "upstream_mark"): divert.upstream_mark,
    }
    if release.kernel:
        marks["release", "forwarded_mark"] = release.forwarded_mark
        marks["release", "bare_mark"] = release.bare_mark
    return marks

"""The Host: what the doctor can see of this network namespace. It only looks."""

from __future__ import annotations

import re
from functools import cached_property
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from typing import Any

from gateway.kernel import claim, routing
from gateway.kernel.command import find, run
from gateway.kernel.filter import nftables
from gateway.kernel.lookup import Lookup
from gateway.kernel.probe.probe import Probed, probe
from gateway.policy.policy import Policy

_LISTEN = "0A"

_LEGACY = {
    "iptables": Path("/proc/net/ip_tables_names"),
    "ip6tables": Path("/proc/net/ip6_tables_names"),
}


class _NoInfo:
    """Of a link that says nothing about its kind."""

    def get_attr(self, name: str) -> None:
        """Nothing is known."""


_NO_INFO = _NoInfo()


class Host:
    """Facts, each looked up once."""

    def __init__(self) -> None:
        self._sysctls: dict[str, str | None] = {}
        self._probed: Probed | None = None

    def sysctl(self, name: str) -> str | None:
        """The setting C{net/ipv4/ip_forward} and the like; C{None}: this kernel hasn't got it."""
        if name not in self._sysctls:
            path = Path("/proc/sys") / name
            self._sysctls[name] = path.read_text().strip() if path.exists() else None
        return self._sysctls[name]

    def number(self, name: str) -> int:
        """A setting that is a number; 0 if this kernel hasn't got it."""
        return int(self.sysctl(name) or 0)

    @cached_property
    def interfaces(self) -> list[str]:
        """The names of all network interfaces."""
        return sorted(
            path.name
            for path in Path("/proc/sys/net/ipv4/neigh").iterdir()
            if path.name != "default"
        )

    @cached_property
    def addresses(self) -> dict[str, list[IPv4Interface | IPv6Interface]]:
        """The addresses of each interface, with their networks."""
        found: dict[str, list[IPv4Interface | IPv6Interface]] = {}
        with routing.netlink() as kernel:
            names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in kernel.get_links()}
            for message in kernel.get_addr():
                found.setdefault(names[message["index"]], []).append(_address(message))
        return found

    @cached_property
    def lookups(self) -> dict[int, list[Lookup]]:
        """The policy routing rules of each family."""
        with routing.netlink() as kernel:
            return {family: routing.lookups(kernel, family) for family in routing.families()}

    @cached_property
    def default_interfaces(self) -> list[str]:
        """The interfaces by which the main table has a default route."""
        lines = Path("/proc/net/route").read_text().splitlines()[1:]
        fields = [line.split() for line in lines]
        return sorted({field[0] for field in fields if field[1] == field[7] == "00000000"})

    @cached_property
    def bridges(self) -> list[str]:
        """The interfaces that are bridges."""
        with routing.netlink() as kernel:
            return sorted(
                link.get_attr("IFLA_IFNAME")
                for link in kernel.get_links()
                if (link.get_attr("IFLA_LINKINFO") or _NO_INFO).get_attr("IFLA_INFO_KIND")
                == "bridge"
            )

    @cached_property
    def held(self) -> set[str]:
        """What running gateways claim."""
        return claim.held()

    def probed(self, policy: Policy) -> Probed | None:
        """What came of a probe; C{None}: no gateway with C{policy} is running."""
        if f"port/{policy.divert.port}" not in self.held:
            return None
        if self._probed is None:
            self._probed = probe(policy)
        return self._probed

    @cached_property
    def tables(self) -> dict[str, str]:
        """Other people's nftables rules: the listing of each table by its family and name."""
        if find("nft") is None:
            return {}
        names = re.findall(r"^table (\S+ \S+)$", run(("nft", "list", "tables")), re.MULTILINE)
        return {
            name: run(("nft", "list", "table", *name.split()))
            for name in names
            if not name.startswith(f"inet {nftables.PREFIX}")
        }

    @cached_property
    def iptables(self) -> str:
        """What the save commands of iptables say, of both families and variants."""
        return "".join(map(_saved, ("iptables-save", "ip6tables-save"))) + self.legacy

    @cached_property
    def legacy(self) -> str:
        """The same of the legacy variant, which nft doesn't show; but don't wake it up."""
        return "".join(
            _saved(f"{name}-legacy-save")
            for name, names in _LEGACY.items()
            if names.exists() and names.read_text().strip()
        )

    def listeners(self, protocol: str) -> set[int]:
        """
        The ports on which somebody takes what is sent to any address.

        @param protocol: C{tcp} or C{udp}.
        """
        files = (Path(f"/proc/net/{protocol}"), Path(f"/proc/net/{protocol}6"))
        lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
        return {port for line in lines if (port := _wildcard(line, protocol)) is not None}


def _address(message: Any) -> IPv4Interface | IPv6Interface:
    local = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return ip_interface(f"{local}/{message['prefixlen']}")


def _saved(command: str) -> str:
    """What C{command} says, or nothing if it isn't here."""
    return run((command,)) if find(command) else ""


def _wildcard(line: str, protocol: str) -> int | None:
    """The port of a socket on the wildcard address that takes anything, if this line is one."""
    fields = line.split()
    if ":" not in fields[1]:
        return None
    address, port = fields[1].split(":")
    taking = fields[3] == _LISTEN if protocol == "tcp" else fields[2].endswith(":0000")
    return int(port, 16) if taking and not address.strip("0") else None

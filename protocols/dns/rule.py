"""Rules: the tables C{[[dns.rule]]}, which names are answered, and how."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal, NamedTuple

from attrs import frozen

from gateway.inspector import Addresses, option, written_at
from protocols.dns.kinds import Choice, read_classes, read_kinds, read_opcodes
from protocols.hostlist import HostList, read_host_list
from protocols.hosts import Hosts, read_hosts

Action = Literal["allow", "nxdomain", "nodata", "refused", "address"]


class Asked(NamedTuple):
    """
    What is asked, and by whom.

    @ivar name: see L{text_of<protocols.dns.name.text_of>}.
    """

    name: str
    kind: int
    class_: int
    opcode: int
    client: str
    server: str


def read_addresses(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    """
    Read the addresses of an answer.

    @raise ValueError: one is none.
    """
    return tuple(ip_address(text).packed for text in texts)


@frozen
class Rule:
    """A C{[[dns.rule]]}: all of its conditions must hold. What is left out matches anything."""

    name: Hosts | None = option(
        'One of these names: "a.example.org", ".example.org" for it and all below, or "~" and a '
        "regular expression for the whole name.",
        None,
        read=read_hosts,
    )
    lists: tuple[HostList, ...] = option(
        "On one of these lists: files with a domain a line, or hosts files, as [[http.request]] "
        "has them. URLs in them mean nothing here.",
        (),
        file=read_host_list,
    )
    type: Choice = option(
        'One of these types: "AAAA", "HTTPS", "TYPE65280". A rule that allows types by name allows '
        "them also where `types` or `refused_types` does not.",
        read_kinds(frozenset()),
        read=read_kinds,
    )
    class_: Choice = option(
        'One of these classes: "IN", "CH". Overrides `classes` where it is allowed.',
        read_classes(frozenset()),
        read=read_classes,
    )
    opcode: Choice = option(
        'One of these operations: "QUERY", "NOTIFY", "UPDATE". Overrides `opcodes` where it is '
        "allowed.",
        read_opcodes(frozenset()),
        read=read_opcodes,
    )
    from_: Addresses | None = option(
        "Zones or networks that the client is in.", None, names_zones=True
    )
    to: Addresses | None = option(
        "Zones or networks that the server is in.", None, names_zones=True
    )
    action: Action = option(
        'What is done: "allow", or the answer: "nxdomain" (there is no such name), "nodata" (the '
        'name has nothing of this type), "refused", or "address".',
        "nxdomain",
    )
    addresses: tuple[bytes, ...] = option(
        'With "address": what A and AAAA queries are answered with; all others with "nodata".',
        (),
        read=read_addresses,
    )
    ttl: int = option(
        'With "address": for so long it may be remembered.',
        60,
        unit="seconds",
        minimum=0,
        maximum=86400,
        precedent="Pi-hole: 2; BIND's RPZ: 5 to 60",
    )
    chain: bool = option(
        'With "allow": whether the names that an answer leads to (CNAME, DNAME) are judged by the '
        "rules as well.",
        True,
    )
    reason: str = option("Why; for audit records.", "")
    place: str = written_at()

    def __attrs_post_init__(self) -> None:
        """
        Whether the keys go together.

        @raise ValueError: they don't.
        """
        if bool(self.addresses) != (self.action == "address"):
            raise ValueError('"addresses" and action = "address" belong together')
        if not self.chain and self.action != "allow":
            raise ValueError('"chain" means nothing but with action = "allow"')

    def matches(self, asked: Asked) -> bool:
        """Whether it is about this query."""
        return (
            (not self.type or asked.kind in self.type)
            and (not self.class_ or asked.class_ in self.class_)
            and (not self.opcode or asked.opcode in self.opcode)
            and (self.from_ is None or asked.client in self.from_)
            and (self.to is None or asked.server in self.to)
            and (self.name is None or asked.name in self.name)
            and (not self.lists or bool(self.listed(asked.name)))
        )

    def listed(self, name: str) -> str:
        """The entry that a name is on a list by, in words; empty if it is on none."""
        for each in self.lists:
            entry = each.find_host(name)
            if entry is not None:
                return f'{name} is in {each.name} as "{entry}"'
        return ""

    @property
    def by(self) -> str:
        """Where it is written, without the column, as records and metrics have it."""
        return ":".join(self.place.split(":")[:2]) or "rule"

    def why(self, name: str) -> str:
        """For the audit record."""
        return self.reason or self.listed(name) or f"{name or '.'} is answered by a rule"

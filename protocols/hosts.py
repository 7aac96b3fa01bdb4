"""Hosts: which names and addresses are meant, as the operator writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address

from attrs import field, frozen

from gateway.inspector import pattern

REGULAR = "~"
"""What a regular expression begins with, as in nginx's C{server_name}."""

REMEMBERED = 1024
"""Hosts: whether they are in a set is remembered."""

# RFC 1123, section 2.1, and the underscore that is seen in the wild.
_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*"
)


@frozen
class Hosts:
    """
    A set of hosts.

    @ivar names: names and addresses.
    @ivar domains: names that stand for themselves and for all that is below.
    @ivar patterns: regular expressions for the whole name.
    """

    names: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()
    _known: dict[str, bool] = field(init=False, factory=dict, repr=False, eq=False)

    @property
    def texts(self) -> tuple[str, ...]:
        """As the operator writes them."""
        domains = (f".{each}" for each in sorted(self.domains))
        return (*sorted(self.names), *domains, *(f"{REGULAR}{e.pattern}" for e in self.patterns))

    def __contains__(self, host: str) -> bool:
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[host] = self._find(host)
        return known

    def _find(self, host: str) -> bool:
        return (
            host in self.names
            or (bool(self.domains) and not self.domains.isdisjoint(above(host)))
            or any(each.fullmatch(host) for each in self.patterns)
        )


def above(host: str) -> Iterator[str]:
    """A name, and the names of the domains that it is in: C{a.b.c}, C{b.c}, C{c}."""
    while host:
        yield host
        host = host.partition(".")[2]


def read_host(text: str) -> str:
    """
    A name or an address as requests are compared with it.

    @raise ValueError: it is neither.
    """
    host = text.lower().removesuffix(".")
    if host[-1:].isdecimal() or ":" in host:
        with suppress(ValueError):
            return str(ip_address(host.strip("[]")))
    if not _NAME.fullmatch(host):
        hint = "" if host.isascii() else '; write it with "xn--"'
        raise ValueError(f'"{text}" is not the name or address of a host{hint}')
    return host


def read_hosts(texts: tuple[str, ...]) -> Hosts:
    """
    Read the setting: names, C{".domain"} with all that is below, C{"~regular expression"}.

    @raise ValueError: something else.
    """
    names, domains, patterns = set(), set(), []
    for text in texts:
        if text.startswith(REGULAR):
            patterns.append(pattern(text.removeprefix(REGULAR)))
        elif text.startswith("."):
            domains.add(read_host(text[1:]))
        else:
            names.add(read_host(text))
    return Hosts(frozenset(names), frozenset(domains), tuple(patterns))

"""Conditions: which connections a rule is about, by what their clients say and where they go."""

from __future__ import annotations

from attrs import frozen

from gateway.inspector import Addresses, option, written_at
from protocols.hosts import Hosts, read_hosts


@frozen(kw_only=True)
class Conditions:
    """What a rule may ask for: all that it does must hold."""

    name: Hosts | None = option(
        'The name that the client asks for (SNI): "a.example.org", ".example.org" for it and all '
        'below, "~regular expression". Left out: any, or none.',
        None,
        read=read_hosts,
    )
    alpn: frozenset[str] = option(
        'Protocols of which the client offers one (ALPN), such as "h2". Left out: any, or none.',
        frozenset(),
    )
    ja4: frozenset[str] = option(
        "Fingerprints of programs (JA4), of which the client has one. Left out: any.", frozenset()
    )
    from_: Addresses | None = option(
        "Zones or networks that the client is in. Left out: any.", None, names_zones=True
    )
    to: Addresses | None = option(
        "Zones or networks that the server is in. Left out: any.", None, names_zones=True
    )
    check_name: bool = option(
        "Whether a server that is spliced must have a certificate, to be believed, for the name "
        "that the client asks for. It is asked for by a connection of the gateway's own.",
        False,
    )
    place: str = written_at()

    def matches(self, name: str, alpn: tuple[str, ...], ja4: str, client: str, server: str) -> bool:
        """Whether a connection is meant."""
        return (
            (self.name is None or (bool(name) and name in self.name))
            and (not self.alpn or not self.alpn.isdisjoint(alpn))
            and (not self.ja4 or ja4 in self.ja4)
            and (self.from_ is None or client in self.from_)
            and (self.to is None or server in self.to)
        )

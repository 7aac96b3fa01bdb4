"""What a service needs whose clients shake hands with their servers (C{handshake = "through"})."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.policy.divert import Backend, Divert, WhenDown
from gateway.policy.document import Entry
from gateway.policy.handshake import Handshake
from gateway.policy.service import Action, Service, Source

LOOPBACK = "lo"


def check_through(entry: Entry, service: Service, divert: Divert) -> None:
    """
    Say to the service's file why it can't be, if it can't.

    @param entry: all of the file.
    """
    if service.handshake is Handshake.THROUGH and service.action is Action.INSPECT:
        for why in _why_not(service, divert):
            entry.at("handshake").complain(f'can\'t be "{Handshake.THROUGH.value}": {why}')


def _why_not(service: Service, divert: Divert) -> Iterator[str]:
    if service.source not in (Source.CLIENT, Source.CLIENT_STRICT):
        yield 'the server has to see the client\'s own address and port: source = "client"'
    if service.targets:
        yield 'the client shakes hands with whom it wanted: server = "original"'
    if divert.backend is not Backend.NFTABLES:
        yield 'gateway.toml needs backend = "nftables" in [divert]'
    if not divert.conntrack_zone:
        yield "gateway.toml has conntrack_zone = 0 in [divert], and it needs connection tracking"
    if divert.when_down is WhenDown.PASS:
        yield (
            'gateway.toml has when_down = "pass" in [divert], and without the gateway nobody takes '
            "the ends over"
        )
    named = frozenset[str]().union(*(rule.interfaces for rule in service.rules))
    if LOOPBACK in divert.interfaces or LOOPBACK in named:
        yield 'what comes in by "lo" is not forwarded'

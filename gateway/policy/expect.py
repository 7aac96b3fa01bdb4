"""C{[[expect]]}: tests that live in the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from attrs import frozen

from gateway.policy.connection import Connection
from gateway.policy.document import Entry
from gateway.policy.foretelling import Said, foretold
from gateway.policy.notation import read_address, read_client
from gateway.policy.policy import Policy
from gateway.policy.problem import did_you_mean
from gateway.policy.structure import structure
from gateway.policy.written import NO_SERVICE, ExpectTable

T = TypeVar("T")


@frozen
class Expectation:
    """Which service is to get a connection, and who says so."""

    entry: Entry
    connection: Connection
    service: str
    said: Said = Said()
    mode: str = ""

    def check(self, policy: Policy) -> None:
        """Complain if the policy decides otherwise."""
        rule = policy.decide(self.connection)
        if (rule.service if rule else NO_SERVICE) == self.service:
            if self.mode:
                self._check_mode(policy)
            return
        instead = f'{rule.place} (service "{rule.service}") wins' if rule else "no rule matches"
        wanted = f'service "{self.service}"' if self.service != NO_SERVICE else "no rule"
        self.entry.complain(f"expected {wanted} for {self.connection}, but {instead}")

    def _check_mode(self, policy: Policy) -> None:
        """Complain if the inspector decides otherwise."""
        service = policy.services.get(self.service)
        try:
            found = foretold(service, self.connection, self.said) if service else None
        except ValueError as error:
            self.entry.at("query").complain(str(error))
            return
        if found is None:
            self.entry.at("mode").complain(
                f'service "{self.service}" does not go by what a client says: "mode" is for "tls", '
                '"quic" and "dns"'
            )
        elif found.mode != self.mode:
            self.entry.complain(
                f'expected "{self.mode}" for {self.said}, but {found.place} says "{found.mode}"'
            )


def read_expectation(entry: Entry, own: str, services: Iterable[str]) -> Expectation | None:
    """
    What an C{[[expect]]} table means.

    @param own: the service that it is written in.
    """
    table = structure(ExpectTable, entry)
    if table is None:
        return None
    service = table.service or own
    known = [*services, NO_SERVICE]
    if service not in known:
        entry.at("service").complain(f'no service "{service}"{did_you_mean(service, known)}')
    source = _read(entry.at("from"), table.from_, read_client)
    destination = _read(
        entry.at("to"), table.to, read_address if table.protocol.has_ports else read_client
    )
    if source is None or destination is None:
        return None
    if (":" in source.host) != (":" in destination.host):
        entry.complain("one address is IPv4 and the other is IPv6")
        return None
    connection = Connection(source, destination, table.protocol, table.interface)
    said = Said(table.sni, table.alpn, table.query)
    if said != Said() and not table.mode:
        entry.complain('"sni", "alpn" and "query" mean nothing without "mode"')
    return Expectation(entry, connection, service, said, table.mode)


def _read(entry: Entry, text: str, read: Callable[[str], T]) -> T | None:
    try:
        return read(text)
    except ValueError as error:
        entry.complain(str(error))
        return None

"""What becomes of a connection, by what its client says first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.inspector import Identity
from protocols.tls.settings import Mode, Rule, TlsSettings


class Decision(NamedTuple):
    """
    What becomes of a connection.

    C{place} is where that is written: of a rule its file, line and column, else the key.
    C{identity} is what the server is shown if it asks for the client's certificate.
    """

    mode: Mode
    inside: str
    place: str
    check_name: bool = False
    identity: Identity | None = None

    @property
    def at_line(self) -> str:
        """Where it is written, without the column, as records and counters have it."""
        return ":".join(self.place.split(":")[:2])


class Said(NamedTuple):
    """
    What a connection's client says, and between which addresses.

    C{name} is empty if it says none, or an address.
    """

    name: str
    alpn: tuple[str, ...]
    ja4: str
    client: str
    server: str


def candidates(settings: TlsSettings, said: Said) -> Iterator[tuple[Rule | None, Decision]]:
    """
    What becomes of a connection: the first that holds. A rule may still have to look at the
    server's certificate.
    """
    for rule in settings.rule:
        if rule.matches(*said):
            inside = rule.inside or settings.inside
            yield (
                rule,
                Decision(
                    rule.mode,
                    inside,
                    rule.place or "tls.rule",
                    rule.check_name,
                    rule.own_certificate,
                ),
            )
    if not said.name:
        yield None, Decision(settings.without_name, settings.inside, "tls.without_name")
    yield None, Decision(settings.mode, settings.inside, "tls.mode")


def foretold(settings: TlsSettings, said: Said) -> Decision:
    """The same, as if no rule looked at certificates: those would have to be asked for."""
    return next(
        decision
        for rule, decision in candidates(settings, said)
        if rule is None or not rule.asks_server
    )

"""What becomes of a connection, by what its client says first."""

from __future__ import annotations

from typing import NamedTuple

from protocols.tls.settings import Mode, TlsSettings


class Decision(NamedTuple):
    """
    What becomes of a connection.

    C{place} is where that is written: of a rule its file, line and column, else the key.
    """

    mode: Mode
    inside: str
    place: str
    check_name: bool = False


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


def decide(settings: TlsSettings, said: Said) -> Decision:
    """What becomes of a connection: the first rule that is about it decides."""
    for rule in settings.rule:
        if rule.matches(*said):
            inside = rule.inside or settings.inside
            return Decision(rule.mode, inside, rule.place or "tls.rule", rule.check_name)
    if not said.name:
        return Decision(settings.without_name, settings.inside, "tls.without_name")
    return Decision(settings.mode, settings.inside, "tls.mode")

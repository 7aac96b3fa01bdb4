"""
Foretelling: what an inspector would do with a connection, by what its client says first.

The policy knows which service gets a connection. Some inspectors go on deciding
by the client's first words, and an operator wants to ask for that as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from gateway.policy.connection import Connection
from gateway.policy.service import Service


class Said(NamedTuple):
    """
    What a client says first: the name that it wants (SNI), and its protocols (ALPN); or what it
    asks of DNS, as C{"www.example.org/AAAA"}.
    """

    sni: str = ""
    alpn: tuple[str, ...] = ()
    query: str = ""

    def __str__(self) -> str:
        if self.query:
            return self.query
        name = f"SNI {self.sni}" if self.sni else "no SNI"
        return f"{name}, ALPN {', '.join(self.alpn)}" if self.alpn else name


class Foretold(NamedTuple):
    """What becomes of it: a word of the settings, the service inside, and where that is written."""

    mode: str
    inside: str
    place: str


@runtime_checkable
class Foretells(Protocol):
    """A maker of inspectors that can tell."""

    def foretell(
        self, settings: Any, connection: Connection, said: Said
    ) -> tuple[str, str, str] | None:
        """
        What becomes of a connection, as the fields of L{Foretold}; C{None} if the inspector does
        not go by such words.
        """


def foretold(service: Service, connection: Connection, said: Said) -> Foretold | None:
    """What a service's inspector would do; C{None} if it does not go by what clients say first."""
    maker: Any = service.maker
    if not isinstance(maker, Foretells):
        return None
    told = maker.foretell(service.settings, connection, said)
    return None if told is None else Foretold(*told)

"""Settings of the core: how HTTP is spoken. What may be asked is the policy's."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from gateway.inspector import option
from gateway.interfaces import ISession
from protocols.http.decision import IDecisions
from protocols.http.limits import Limits
from protocols.http.names import Names, NamesSettings
from protocols.http.passall import PassAll
from protocols.http.times import Times


@frozen
class Stack:
    """The table C{[http.stack]}: which service sees the bodies."""

    request: str = option("The service that inspects bodies of requests.", "")
    response: str = option("The service that inspects bodies of responses.", "")


@frozen
class CoreSettings:
    """
    What the inspector itself needs to know. The policy's settings class is a
    subclass, so that one table C{[http]} holds both.
    """

    limits: Limits = option("How large messages may be.", Limits())
    times: Times = option("How long clients and servers may take.", Times())
    host_check: Literal["off", "literal", "resolve", "strict"] = option(
        "Whether the Host header has to agree with where the connection was going to. "
        '"literal": its port, and its address if it is no name, must be those of the '
        'connection. "resolve": names are looked up too, and the gateway connects to an address '
        'that the name has. "strict": a name that has not the connection\'s address is refused.',
        "off",
    )
    names: NamesSettings = option(
        'What is remembered of names that are looked up (host_check = "resolve" or "strict").',
        NamesSettings(),
    )
    upgrades: frozenset[str] = option(
        "Which protocols a connection may be upgraded to, in small letters, such as "
        '"websocket". What follows is relayed without inspection.',
        frozenset(),
    )
    connect: bool = option(
        "Whether CONNECT is allowed. What follows is relayed without inspection.", False
    )
    request_bodies: bool = option(
        "Whether GET, HEAD, CONNECT and TRACE may have a body. Servers that don't expect one "
        "take it for the next request.",
        False,
    )
    stack: Stack = option("Which service sees the bodies.", Stack())

    known_names: Names = field(init=False, repr=False, eq=False)

    @known_names.default
    def _no_names(self) -> Names:
        return Names(self.names)

    def decisions(self, session: ISession) -> IDecisions:
        """What decides in C{session}: here, whatever is well-formed may pass."""
        return PassAll()

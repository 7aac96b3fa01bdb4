"""Settings of the core: how HTTP is spoken. What may be asked is the policy's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from attrs import frozen

from gateway.inspector import option
from protocols.http.decision import Stacked
from protocols.http.grammar import TOKEN
from protocols.http.limits import Limits
from protocols.http.names import NamesSettings
from protocols.http.times import Times


@frozen
class Stack:
    """The table C{[http.stack]}: which service sees the bodies."""

    request: str = option("The service that inspects bodies of requests.", "", names_service=True)
    response: str = option("The service that inspects bodies of responses.", "", names_service=True)
    headers: bool = option(
        "Whether these services, and those that tests choose, see the headers that are about the "
        "body (Content-Type and others) before it, as in a MIME entity, and may change them.",
        False,
        precedent="Zorp's HTTP_STK_MIME",
    )
    held_bytes: int = option(
        "How much of a body of an HTTP/1.0 request is held behind these services, since the server "
        "has to know its length before. A larger one is answered with 413.",
        1_048_576,
        unit="bytes",
        minimum=0,
        precedent="nginx, whose requests to servers are of HTTP/1.0, takes 1 MiB by default",
    )

    ranges: bool = option(
        "Whether clients may have, and send, parts of a body that such a service sees, which is "
        "then shown nothing else.",
        False,
    )
    codings: bool = option(
        "Whether servers may be asked for bodies in codings that the gateway can't decode for "
        'such a service ("br", "zstd"), which then has to.',
        False,
    )

    page_seconds: float = option(
        "A browser that has waited so long for a file which such a service holds reads a page that "
        "says how far it is, and fetches the file when it may. 0: it waits.",
        0.0,
        unit="seconds",
        precedent="e2guardian's fancy download manager",
        minimum=0,
    )
    page_wait_seconds: float = option(
        "For so long the page may take to fetch it.",
        60.0,
        unit="seconds",
        minimum=1,
        in_silence=True,
    )

    @property
    def hides_ranges(self) -> bool:
        """Whether bodies are asked for as a whole, so that they can be judged."""
        return bool(self.response) and not self.ranges

    def refuses_part(self, stack: Stacked | None) -> bool:
        """
        Whether a part of a body does not pass.

        @param stack: who inspects it.
        """
        return stack is not None and not self.ranges

    @property
    def of_requests(self) -> Stacked | None:
        """Who inspects bodies of requests, if somebody does."""
        return Stacked(self.request, "stack.request") if self.request else None

    @property
    def of_responses(self) -> Stacked | None:
        """Who inspects bodies of responses, if somebody does."""
        return Stacked(self.response, "stack.response") if self.response else None


def read_upgrades(services: Mapping[str, str]) -> Mapping[str, str]:
    """
    Services for what follows an upgrade, by the names of protocols.

    @raise ValueError: one is not in small letters.
    """
    for name in services:
        if name != name.lower() or not TOKEN.fullmatch(name):
            raise ValueError(f'"{name}" is no protocol in small letters, such as "websocket"')
    return dict(services)


@frozen
class Tunnels:
    """The table C{[http.tunnels]}: which service inspects what follows."""

    connect: str = option(
        "The service that inspects what follows CONNECT. Left out: nobody does.",
        "",
        names_service=True,
    )
    upgrades: Mapping[str, str] = option(
        'The services that inspect what follows upgrades: {websocket = "sockets"}.',
        {},
        read=read_upgrades,
        names_service=True,
    )

    def service(self, accepted: Iterable[str]) -> str:
        """The service for what follows; empty if there is none."""
        names = (name.partition("/")[0] for name in accepted)
        return next((self.upgrades[name] for name in names if name in self.upgrades), "")


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
        '"websocket". What follows is relayed, or inspected (http.tunnels).',
        frozenset(),
    )
    connect: bool = option(
        "Whether CONNECT is allowed. What follows is relayed, or inspected (http.tunnels).", False
    )
    targets: Literal["strict", "encode"] = option(
        "What becomes of targets with characters that have to be escaped: bytes beyond ASCII, "
        'spaces, quotes, "<" and ">". "strict": they are refused with 400. "encode": they are '
        "escaped, and judged and sent on so.",
        "strict",
        precedent="RFC 9112, section 3; browsers and curl escape, wget2 (in queries) does not",
    )
    keep_client: bool = option(
        "Whether a client's connection goes on when the server has closed its own after an answer: "
        "what is asked next is asked on another one. Not in tunnels and TLS, nor with NTLM and "
        "Negotiate, which prove who a connection is.",
        True,
        precedent="HAProxy's option http-server-close, Squid's client_persistent_connections",
    )
    request_bodies: bool = option(
        "Whether GET, HEAD, CONNECT and TRACE may have a body. Servers that don't expect one "
        "take it for the next request.",
        False,
    )
    stack: Stack = option("Which service sees the bodies.", Stack())

    tunnels: Tunnels = option("Which service inspects what follows an upgrade.", Tunnels())

    def __attrs_post_init__(self) -> None:
        """
        Whether the settings go together.

        @raise ValueError: they don't.
        """
        if self.tunnels.connect and not self.connect:
            raise ValueError('"tunnels.connect" means nothing without "connect"')
        for name in self.tunnels.upgrades:
            if name not in self.upgrades:
                raise ValueError(
                    f'"tunnels.upgrades.{name}" means nothing if "upgrades" has not it'
                )

"""A Service is a named way to treat connections."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from attrs import field, frozen

from gateway.interfaces import IInspectorMaker
from gateway.policy.handshake import Handshake
from gateway.policy.limits import ServiceLimits
from gateway.policy.place import NOWHERE, Place
from gateway.policy.rule import Rule


class Action(Enum):
    """Who treats the connection, and how."""

    INSPECT = "inspect"
    """The gateway: an inspector, or the plain relay."""

    FORWARD = "forward"
    """The kernel forwards it; it never reaches user space."""

    DENY = "deny"
    """The kernel refuses it, with the service's L{Reply}."""

    __hash__ = object.__hash__


class Reply(Enum):
    """What the kernel answers to a connection that is denied."""

    RESET = "reset"
    """TCP reset; for UDP, ICMP port unreachable."""

    DROP = "drop"
    """Nothing."""

    PORT_UNREACHABLE = "port-unreachable"
    HOST_UNREACHABLE = "host-unreachable"
    NETWORK_UNREACHABLE = "network-unreachable"
    PROHIBITED = "prohibited"
    """ICMP administratively prohibited."""

    __hash__ = object.__hash__


class Source(Enum):
    """From which address the server side is opened."""

    CLIENT = "client"
    """The client's address and port; if that port can't be had, any port."""

    CLIENT_STRICT = "client-strict"
    """The client's address and port, or not at all."""

    CLIENT_ADDRESS = "client-address"
    """The client's address, any port."""

    GATEWAY = "gateway"
    """The gateway's own address."""

    __hash__ = object.__hash__


class Target(NamedTuple):
    """
    A fixed server to connect to instead of the original destination.

    C{host} is an address or a name. C{port} is C{None} for the port that the
    client wanted.
    """

    host: str
    port: int | None = None


@frozen
class Service:
    """
    A named way to treat connections: one file.

    C{source} is a L{Source}, or the address to use, as text.
    C{targets} is empty for the original destination; with several, they are
    tried in turn.
    C{handshake} says when its clients are connected.
    C{maker} is C{None} unless the action is L{Action.INSPECT}.
    C{shared} is what the inspectors of all sessions share (L{IInspectorMaker.share}).
    C{written} says where each of the inspector's settings is written, if it is:
    C{"services/web.toml:12"}, by its key, with dots for those in tables.
    """

    name: str
    action: Action = Action.INSPECT
    reply: Reply = Reply.RESET
    maker: IInspectorMaker | None = None
    settings: Any = None
    shared: Any = field(default=None, eq=False)
    written: Mapping[str, str] = field(factory=dict, eq=False)
    source: Source | str = Source.CLIENT
    handshake: Handshake = Handshake.ACCEPTED
    targets: tuple[Target, ...] = ()
    limits: ServiceLimits = field(factory=ServiceLimits)
    rules: tuple[Rule, ...] = ()
    place: Place = field(default=NOWHERE, eq=False)

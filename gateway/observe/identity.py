"""Who a session is for those who read about it, and by which way it reached its server."""

from __future__ import annotations

from typing import NamedTuple

from gateway.interfaces import Address
from gateway.policy.connection import Protocol
from gateway.policy.rule import Rule


class Identity(NamedTuple):
    """
    What is the same in every audit record and every message of one session.

    C{server} is the original destination. C{rule} is C{None} for a session
    that no rule brought: a connection that another session announced, whose
    id is then C{parent}. C{handshake} says how the client was connected, if its service
    says that it is to shake hands with the server.
    """

    id: int
    client: Address
    server: Address
    protocol: Protocol
    service: str
    rule: Rule | None = None
    parent: int = 0
    handshake: str = ""

    def __str__(self) -> str:
        return f"{self.service} #{self.id} {self.protocol.value} {self.client} -> {self.server}"


class Upstream(NamedTuple):
    """
    The server leg of a session, as it really was opened.

    C{source} is the address that the server sees. C{seconds} is the time from
    the first attempt until the server answered. Of a session that had several such legs, one
    after the other (C{connections}), this is the last one.
    """

    address: Address
    source: Address
    port_kept: bool
    seconds: float
    attempts: int = 1
    connections: int = 1


class Released(NamedTuple):
    """
    Where a session passed of which nothing was left to inspect.

    C{place} is C{"kernel"} or C{"user space"}, C{why} why it was not the kernel.
    """

    place: str
    why: str

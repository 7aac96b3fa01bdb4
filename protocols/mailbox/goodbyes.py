"""Goodbyes: what a client hears of the gateway when a session ends, in the protocol's words."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen


class Words(Protocol):
    """An answer of the protocol."""

    def written(self) -> bytes:
        """As it is sent."""


@frozen
class Goodbyes:
    """
    One for each reason.

    @ivar errors: too many commands were refused.
    @ivar login: the client took too long to log in.
    @ivar silence: the client, which is logged in, says nothing.
    @ivar slow: the server does not answer.
    @ivar closed: the server has closed the connection.
    @ivar lost: the server has reset it, or is out of reach.
    @ivar unreachable: there is no server.
    @ivar malformed: what the server said is not of the protocol.
    """

    errors: Words
    login: Words
    silence: Words
    slow: Words
    closed: Words
    lost: Words
    unreachable: Words
    malformed: Words

"""Sockets: what makes them, so that somebody else than the kernel can."""

from __future__ import annotations

from typing import Protocol

from gateway.interfaces import Address
from gateway.kernel.sockets import Opened, Socket


class Sockets(Protocol):
    """
    L{gateway.kernel.sockets}, the module, or what stands in for it where there is no kernel.

    Only what has to be asked for: a socket that is there is closed, reset and read in one way,
    whoever made it.
    """

    def listen(self, address: Address, mark: int, backlog: int) -> Socket:
        """A transparent TCP listener."""

    def accept(self, listener: Socket) -> tuple[Socket, Address, Address]:
        """The next connection: its socket, who made it, and where it was going."""

    def open_towards(
        self, server: Address, source: Address | None, mark: int, strict: bool = False
    ) -> Opened:
        """Begin to connect to C{server}."""

    def is_ours(self, host: str) -> bool:
        """Whether C{host} is an address of this very host."""

"""Joining: a session's server side that comes by itself, as it was announced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.interfaces import Address
from gateway.kernel.sockets import Socket
from gateway.session.expectation import Expectation
from gateway.wire.connector import Reached


class Joining:
    """Takes the place of an L{gateway.wire.connector.Opening}."""

    def __init__(
        self,
        expectation: Expectation,
        reached: Callable[[Reached], None],
        failed: Callable[[str], None],
    ) -> None:
        self._expectation = expectation
        self._reached = reached
        self._failed: Callable[[str], None] | None = failed

    def start(self) -> None:
        """Take what is there, or will come."""
        self._expectation.join(self._came)
        self._expectation.gone.addCallback(self._gone)

    def _came(self, sock: Socket, client: Address, server: Address) -> None:
        if self._failed is not None:
            self._failed = None
            self._reached(Reached(sock, client, server, port_kept=False, attempts=0))

    def _gone(self, _: Any) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            failed(f"nobody came to {self._expectation.address}")

    def expire(self) -> None:
        """An expectation has a time limit of its own."""

    def abandon(self) -> None:
        """The session is over."""
        self._failed = None
        self._expectation.cancel()

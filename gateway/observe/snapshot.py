"""A Snapshot is what there is to see of a session at one moment, cheaply."""

from __future__ import annotations

from typing import NamedTuple

from gateway.observe.identity import Identity

KERNEL = "kernel"
"""The state of a session that the kernel has."""


class Snapshot(NamedTuple):
    """
    A running session.

    @ivar state: where in its life it stands: C{"open"}, or L{KERNEL}.
    @ivar started: when it began: seconds since 1970.
    @ivar idle: for how many seconds no byte has moved.
    @ivar to_server: bytes so far, to the server and to the client. What the kernel has carried is
        not among them.
    """

    identity: Identity
    state: str
    started: float
    idle: float
    to_server: int
    to_client: int

    @property
    def bytes(self) -> int:
        """In both directions."""
        return self.to_server + self.to_client

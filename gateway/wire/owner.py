"""WireOwner: whoever is told what a wire sees; and nobody."""

from __future__ import annotations

from typing import Protocol

from gateway.interfaces import Side


class WireOwner(Protocol):
    """Whoever is told what a wire sees: a session, or TLS between the two."""

    active: float

    def wire_received(self, side: Side, data: bytes) -> None:
        """C{side} sent C{data}."""

    def wire_ended(self, side: Side) -> None:
        """C{side} will send no more."""

    def wire_lost(self, side: Side, error: OSError) -> None:
        """C{side} reset its connection, or is out of reach."""

    def wire_full(self, side: Side) -> None:
        """A released wire took more than it can send."""

    def wire_choked(self, side: Side) -> None:
        """C{side} does not read what its own bytes are answered with, by TLS itself."""

    def wire_drained(self, side: Side) -> None:
        """Everything sent to C{side} has left, and the end too if it was asked for."""


class _Nobody:
    """The owner of a wire that is closed, so that owner and wire don't keep each other alive."""

    active = 0.0

    def wire_received(self, side: Side, data: bytes) -> None:
        """Nobody cares."""

    def wire_ended(self, side: Side) -> None:
        """Nobody cares."""

    def wire_lost(self, side: Side, error: OSError) -> None:
        """Nobody cares."""

    def wire_full(self, side: Side) -> None:
        """Nobody cares."""

    def wire_choked(self, side: Side) -> None:
        """Nobody cares."""

    def wire_drained(self, side: Side) -> None:
        """Nobody cares."""


NOBODY = _Nobody()

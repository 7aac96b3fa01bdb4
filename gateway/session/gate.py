"""
A Gate is the set of reasons not to read from a side right now.

Whoever has a reason shuts the gate with it and opens it when the reason is
gone. The side is read while there is no reason left. Nobody has to know who
else has reasons.
"""

from __future__ import annotations

from typing import Protocol

# Plain numbers: enum.Flag costs a microsecond for each "|", and this is done for each read.
STARTING = 1
"""The inspector has not been started."""
CONNECTING = 2
"""The server side is being opened."""
DECIDING = 4
"""The inspector awaits a decision on what this side sent."""
CLIENT_FULL = 8
"""This side's bytes filled the buffer towards the client."""
SERVER_FULL = 16
"""This side's bytes filled the buffer towards the server."""
SECURING = 32
"""The side's TLS is about to begin."""
PASSING = 64
"""The kernel takes the session over."""

WORDS = {
    STARTING: "the inspector, to be ready",
    CONNECTING: "the server, to be reached",
    DECIDING: "the inspector, to decide on what this side sent",
    CLIENT_FULL: "the client, to take what waits for it",
    SERVER_FULL: "the server, to take what waits for it",
    SECURING: "TLS, to begin",
    PASSING: "the kernel, to take the session over",
}
"""What a side that is not read waits for, for the operator."""


class Readable(Protocol):
    """A wire, plain or in TLS."""

    def read(self) -> None:
        """Read from now on."""

    def pause(self) -> None:
        """Do not read until L{read}."""


class Gate:
    """Decides whether one side is read, who may not be there yet."""

    __slots__ = ("_wire", "reasons")

    def __init__(self, reasons: int) -> None:
        self.reasons = reasons
        self._wire: Readable | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What the side waits for; nothing, if it is read."""
        return tuple(words for reason, words in WORDS.items() if self.reasons & reason)

    def bind(self, wire: Readable) -> None:
        """From now on the side is read by C{wire}."""
        self._wire = wire
        if not self.reasons:
            wire.read()

    def shut(self, reason: int) -> None:
        """Do not read, for this reason too."""
        if not self.reasons and self._wire is not None:
            self._wire.pause()
        self.reasons |= reason

    def open(self, reason: int) -> None:
        """This reason is gone."""
        if self.reasons & reason:
            self.reasons &= ~reason
            if not self.reasons and self._wire is not None:
                self._wire.read()

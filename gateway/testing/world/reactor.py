"""The time, and whose turn it is: as much of Twisted's reactor as sessions ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock

from gateway.testing.world.network import SimulatedNetwork

TURNS = 10_000
"""More than anything needs that comes to an end."""


class Spinning(AssertionError):
    """Something happens again and again, though nobody does anything."""


class SimulatedReactor(Clock):
    """
    Time passes with L{pass_time}. What is due, or ready, happens in L{settle}.
    """

    def __init__(self, network: SimulatedNetwork) -> None:
        super().__init__()
        self._network = network
        self._readers: dict[IReadDescriptor, None] = {}

    def addReader(self, reader: IReadDescriptor) -> None:
        """See C{IReactorFDSet}."""
        self._readers[reader] = None

    def removeReader(self, reader: IReadDescriptor) -> None:
        """See C{IReactorFDSet}."""
        self._readers.pop(reader, None)

    def callFromThread(self, call: Callable[..., Any], *arguments: Any) -> None:
        """See C{IReactorFromThreads}."""
        self.callLater(0, call, *arguments)

    def settle(self) -> None:
        """
        Let everything happen that is due or ready, until nothing is.

        @raise Spinning: it comes to no end.
        """
        for _ in range(TURNS):
            if not self.turn():
                return
        raise Spinning(f"after {TURNS} turns: {[*self._readers]}, {self.getDelayedCalls()}")

    def turn(self) -> bool:
        """Whether something was due or ready; it has happened then."""
        calls = self.getDelayedCalls()
        happened = bool(calls) and calls[0].getTime() <= self.seconds()
        if happened:
            self.advance(0)
        for reader in tuple(self._readers):
            if reader in self._readers and self._network.there[reader.fileno()].events():
                reader.doRead()
                happened = True
        return happened

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with all that is due in it, each at its own time."""
        end = self.seconds() + seconds
        self.settle()
        while (calls := self.getDelayedCalls()) and calls[0].getTime() <= end:
            self.advance(max(0.0, calls[0].getTime() - self.seconds()))
            self.settle()
        self.advance(end - self.seconds())
        self.settle()

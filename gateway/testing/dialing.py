"""FakeDialing: a connection to be made, which is made when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from gateway.interfaces import Address, Side, Unreachable


@define
class FakeDialing:
    """
    A connection that the session was asked to make.

    @ivar side: who listens.
    @ivar service: as it was given to L{ISession.dial}.
    @ivar begin: makes its session, and starts it.
    """

    side: Side
    address: Address
    service: Any
    source: Address
    begin: Callable[..., Any] = field(kw_only=True)
    cancelled: bool = False
    reached: Deferred[Address] = field(init=False)

    @reached.default
    def _reached(self) -> Deferred[Address]:
        return Deferred(self._cancel)

    def _cancel(self, _: Any) -> None:
        self.cancelled = True

    def answers(self, **session: Any) -> Any:
        """
        The side accepts, for a callable as service.

        @param session: more arguments of L{FakeSession<gateway.testing.FakeSession>}.
        @return: its session, started.
        """
        begun = self.begin(self.service, client=self.address, server=self.source, **session)
        self.reached.callback(self.address)
        return begun

    def refuses(self, why: str = "connection refused") -> None:
        """The side can't be reached."""
        self.reached.errback(Unreachable(why))

"""FakeExpectation: an announced connection, which comes when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import Address, IExpectation, Side


@implementer(IExpectation)
@define
class FakeExpectation:
    """
    An announced connection.

    @ivar side: who will connect.
    @ivar service: as it was given to L{ISession.expect}.
    @ivar begin: makes its session, and starts it.
    """

    side: Side
    address: Address
    service: Any
    cancelled: bool = False
    begin: Callable[..., Any] | None = field(default=None, kw_only=True)
    gone: Deferred[None] = field(init=False, factory=Deferred)
    _came: Address | None = field(init=False, default=None)
    _joined: Callable[[Address], None] | None = field(init=False, default=None)

    def cancel(self) -> None:
        """See L{IExpectation.cancel}. A test's way to say that time ran out, too."""
        if not self.gone.called:
            self.cancelled = True
            self.gone.callback(None)

    def joins(self, initiator: Address) -> None:
        """The connection comes, for an expectation with no service."""
        assert self.service is None and not self.gone.called, "nobody listens any more"
        self._came = initiator
        self._meet()

    def join(self, joined: Callable[[Address], None]) -> None:
        """Whoever joins it."""
        self._joined = joined
        self._meet()

    def _meet(self) -> None:
        if self._came is not None and self._joined is not None and not self.gone.called:
            self._joined(self._came)
            if not self.gone.called:
                self.gone.callback(None)

    def comes(self, initiator: Address, **session: Any) -> Any:
        """
        The connection comes, for an expectation with a callable as service.

        @param session: more arguments of L{FakeSession<gateway.testing.FakeSession>}.
        @return: its session, started.
        """
        assert self.begin is not None, "no session announced it"
        came = self.begin(self.service, client=initiator, server=self.address, **session)
        if not self.gone.called:
            self.gone.callback(None)
        return came

"""A Dialing is one connection that the gateway makes to a side that said where it listens."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from gateway.interfaces import Address, Unreachable
from gateway.session import guard
from gateway.session.ticker import Bucket, Ticker
from gateway.wire.connector import Opening, Reached


class Dialing:
    """
    One connection that is being made.

    @param began: takes the connection.
    @param over: is called once, when it is made, or will not be.
    @param session: whose announcement it was.
    @ivar reached: what came of it: an address, or L{Unreachable}. Never, if it was cancelled.
    """

    def __init__(
        self,
        began: Callable[[Reached], None],
        over: Callable[[Dialing], None],
        session: guard.Guarded,
    ) -> None:
        self.reached: Deferred[Address] | None = Deferred(lambda _: self._give_up())
        self._began = began
        self._session = session
        self._over: Callable[[Dialing], None] | None = over
        self._bucket: Bucket | None = None
        self._opening: Opening | None = None

    def watch(self, ticker: Ticker, seconds: float) -> None:
        """It has so long."""
        self._bucket = ticker.after(seconds, self)

    def start(self, connect: Callable[..., Opening]) -> None:
        """Connect."""
        opening = connect(self._arrived, self._failed)
        if self._over is not None:
            self._opening = opening

    def check_time(self) -> None:
        """It took too long."""
        self._bucket = None
        if self._opening is not None:
            self._opening.expire()

    def cancel(self) -> None:
        """Nobody wants it any more."""
        opening = self._opening
        self.reached = None  # which knows this
        if self._leave() and opening is not None:
            opening.abandon()

    def _give_up(self) -> None:
        reached = self.reached
        self.cancel()
        self._tell(reached, Failure(CancelledError()))  # type: ignore[no-untyped-call]

    def _arrived(self, reached: Reached) -> None:
        self._leave()
        self._began(reached)
        self._tell(self.reached, reached.server)

    def _failed(self, why: str) -> None:
        self._leave()
        self._tell(self.reached, Failure(Unreachable(why)))  # type: ignore[no-untyped-call]

    def _tell(self, asked: Deferred[Address] | None, outcome: Address | Failure) -> None:
        """Tell who asked; its failure is the session's, if that does not care."""
        if asked is not None:
            asked.callback(outcome)
            asked.addErrback(guard.unheeded, self._session)

    def _leave(self) -> bool:
        over, self._over, self._opening = self._over, None, None
        if over is None:
            return False
        if self._bucket is not None:
            self._bucket.discard(self)
        over(self)
        return True

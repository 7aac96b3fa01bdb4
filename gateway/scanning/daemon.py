"""
Daemon: one of the operator's, and the lines to it.

There are as many lines as the policy allows; who comes when all are in use waits for one. Lines
that nobody uses are kept for some seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from gateway.observe.log import PrintableLogger
from gateway.observe.scans import ScannerHealth
from gateway.scanning.address import begin
from gateway.scanning.breaker import Breaker
from gateway.scanning.line import Line
from gateway.tools import Terms, Unavailable

log = PrintableLogger()


class Daemon:
    """One daemon, at one address."""

    def __init__(
        self, reactor: Any, address: str, terms: Terms, make: Callable[[], Line] | None = None
    ) -> None:
        """
        @param make: makes a line, or raises C{OSError}; left out, a connection to the address.
        """
        self.address = address
        self._make = make
        self._reactor = reactor
        self._terms = terms
        self._most = terms.connections
        self._breaker = Breaker(terms.failures, terms.rest_seconds)
        self._open = 0
        self._idle: dict[Line, IDelayedCall] = {}
        self._waiting: dict[Deferred[Line], bool] = {}  # whether they want one that is fresh

    @property
    def health(self) -> ScannerHealth:
        """For metrics."""
        waiting = len(self._waiting)
        return ScannerHealth(self.address, self._breaker.resting, self._open, waiting)

    @property
    def unused(self) -> bool:
        """Whether nobody has anything of it."""
        return not self._open and not self._waiting

    @property
    def why_not(self) -> str:
        """For whoever is not admitted."""
        return f"{self.address}: {self._breaker.why or 'left alone'}"

    def admits(self) -> bool:
        """Whether it may be asked for a line now; who may, asks."""
        return self._breaker.admits(self._reactor.seconds())

    def line(self, fresh: bool) -> Deferred[Line]:
        """
        @param fresh: none that was used before.
        @return: fails with C{OSError}: it is not there.
        @raise Busy: it has no room for one more, and does not say when.
        """
        if self._idle and not fresh:
            line = next(reversed(self._idle))
            self._idle.pop(line).cancel()
            line.rest(None)
            return succeed(line)
        if self._open >= self._most:
            if not self._idle:
                return self._wait(fresh)
            self._forget(next(iter(self._idle)))
        return self._connect()

    def _wait(self, fresh: bool) -> Deferred[Line]:
        waiting: Deferred[Line] = Deferred(self._wait_no_more)
        self._waiting[waiting] = fresh
        return waiting

    def _wait_no_more(self, waiting: Deferred[Line]) -> None:
        """Somebody gives up, perhaps while a line is being made for him."""
        self._waiting.pop(waiting, None)

    def _connect(self) -> Deferred[Line]:
        try:
            line = self._dial() if self._make is None else self._make()
        except OSError as error:
            self._failed(error.strerror or str(error))
            return fail(error)
        self._open += 1
        made = line.connected()
        if not made.called:
            made.addTimeout(self._terms.connect_seconds, self._reactor, _timed_out)
        return made.addErrback(self._not_connected)

    def _dial(self) -> Line:
        return Line(self._reactor, self.address, *begin(self.address))

    def _not_connected(self, failure: Failure) -> Failure:
        self._open -= 1
        if isinstance(failure.value, OSError):
            self._failed(failure.value.strerror or str(failure.value))
        self._next()
        return failure

    def limit(self, connections: int) -> None:
        """It takes no more than so many; 0: it does not say."""
        most = self._terms.connections
        self._most = min(most, connections) if connections else most

    # What becomes of a line

    def works(self, line: Line) -> None:
        """It has answered, as it should, on this line."""
        if self._breaker.resting:
            log.info("{address}: answers again", address=self.address)
        self._breaker.well()
        line.works = True

    def keep(self, line: Line) -> None:
        """All was well; the next one may go on there."""
        self.works(line)
        line.uses += 1
        waiting = next(iter(self._waiting), None)
        if not line.sound or (waiting is not None and self._waiting[waiting]):
            self._close(line)
            self._next()
            return
        if waiting is not None:
            del self._waiting[waiting]
            waiting.callback(line)
            return
        line.rest(lambda: self._forget(line))
        seconds = self._terms.keep_seconds
        self._idle[line] = self._reactor.callLater(seconds, self._forget, line)

    def drop(self, line: Line, fault: str) -> None:
        """It is not to be used any more; C{fault}: what the daemon did wrong, if it did."""
        if fault and line.works:
            self.stop()  # who comes next begins anew, and sees whether it still works
        elif fault:
            self._failed(fault)
        self._close(line)
        self._next()

    def _failed(self, why: str) -> None:
        rested = self._breaker.resting
        self._breaker.failed(self._reactor.seconds(), why)
        if self._breaker.resting:
            if not rested:
                log.warn("{address}: left alone for a while: {why}", address=self.address, why=why)
            waiting, self._waiting = self._waiting, {}
            for one in waiting:
                one.errback(Unavailable(self.why_not))

    def _forget(self, line: Line) -> None:
        """Nobody used it, or the daemon has closed it."""
        call = self._idle.pop(line, None)
        if call is not None:
            if call.active():
                call.cancel()
            self._close(line)

    def _close(self, line: Line) -> None:
        line.close()
        self._open -= 1

    def _next(self) -> None:
        """There is room for a line."""
        if not self._waiting or self._open >= self._most:
            return
        waiting = next(iter(self._waiting))
        del self._waiting[waiting]
        try:
            made = self._connect()
        except Exception:
            waiting.errback()
        else:
            made.addCallbacks(self._made, self._not_made, (waiting,), errbackArgs=(waiting,))

    def _made(self, line: Line, waiting: Deferred[Line]) -> None:
        if waiting.called:  # given up
            self._close(line)
            self._next()
        else:
            waiting.callback(line)

    def _not_made(self, failure: Failure, waiting: Deferred[Line]) -> None:
        if not waiting.called:
            waiting.errback(failure)

    def stop(self) -> None:
        """Lines that nobody uses are closed."""
        for line in tuple(self._idle):
            self._forget(line)


def _timed_out(result: Any, seconds: float) -> Any:
    raise TimeoutError(f"no connection within {seconds:g} seconds")

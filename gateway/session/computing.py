"""
Computing: what takes long is computed while the reactor does other things.

An inspector may have to compare a password with its hash, which is slow on purpose. Few
threads do that, so that it never takes all of the processors; and what waits for
them is bounded, so that nobody fills the memory with guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from gateway.interfaces import Denied

T = TypeVar("T")

THREADS = 2

MOST_WAITING = 200
"""Of the slowest kind, a quarter of a second each, that is some 25 seconds of waiting."""


class Computing:
    """
    Threads for functions that take long.

    Until L{start} is called, what is asked for waits.
    """

    def __init__(
        self, reactor: IReactorFromThreads, threads: int = THREADS, waiting: int = MOST_WAITING
    ) -> None:
        self._reactor = reactor
        self._most = waiting
        self._waiting = 0
        self._stopped = False
        self._pool = ThreadPool(0, threads, "computing")

    def start(self) -> None:
        """From now on, compute."""
        self._pool.start()

    def stop(self) -> None:
        """Wait for what is being computed; nothing more is. To stop twice is harmless."""
        if not self._stopped:
            self._stopped = True
            self._pool.stop()

    def compute(self, function: Callable[[], T]) -> Deferred[T]:
        """
        See L{ISession.compute<gateway.interfaces.ISession.compute>}. Who cancels the Deferred
        does not want it any more: it is not computed if it has not begun.
        """
        if self._waiting >= self._most:
            return fail(Denied(f"too much to compute: {self._waiting} wait for it already"))
        self._waiting += 1
        result: Deferred[T] = Deferred()
        self._pool.callInThread(self._run, function, result)
        return result

    def _run(self, function: Callable[[], T], result: Deferred[T]) -> None:
        """In a thread."""
        done: Any = None
        if not result.called and not self._stopped:
            try:
                done = function()
            except Exception:
                done = Failure()  # type: ignore[no-untyped-call]
        self._reactor.callFromThread(self._done, result, done)

    def _done(self, result: Deferred[T], done: Any) -> None:
        self._waiting -= 1
        if not result.called:
            result.callback(done)

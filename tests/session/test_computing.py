"""What takes long is computed elsewhere."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import TestCase

from gateway.interfaces import Denied
from gateway.session.computing import Computing


class ComputingTests(TestCase):
    """The reactor goes on, and nothing grows without bound."""

    timeout = 20

    def setUp(self) -> None:
        self.computing = Computing(reactor, threads=1, waiting=3)  # type: ignore[arg-type]
        self.computing.start()
        self.addCleanup(self.computing.stop)

    def test_elsewhere(self) -> Deferred[Any]:
        """The function runs in another thread, the result comes back in this one."""
        here = threading.get_ident()
        result = self.computing.compute(threading.get_ident)

        def fired(there: int) -> None:
            self.assertNotEqual(there, here)
            self.assertEqual(threading.get_ident(), here)

        return result.addCallback(fired)

    def test_goes_on(self) -> Deferred[Any]:
        """Meanwhile, the reactor does other things: here, what the function waits for."""
        happened = threading.Event()
        result = self.computing.compute(lambda: happened.wait(10))
        reactor.callLater(0, happened.set)  # type: ignore[attr-defined]
        return result.addCallback(self.assertTrue)

    def test_fails(self) -> Deferred[Any]:
        """What the function raises comes back too."""
        return self.assertFailure(self.computing.compute(lambda: 1 // 0), ZeroDivisionError)

    def test_bounded(self) -> Deferred[Any]:
        """Whoever asks for too much is denied, and later may ask again."""
        happened = threading.Event()
        waiting = [self.computing.compute(happened.wait) for _ in range(3)]
        self.failureResultOf(self.computing.compute(bool), Denied)  # type: ignore[attr-defined]
        happened.set()
        done = gatherResults(waiting)
        return done.addCallback(lambda _: self.computing.compute(bool))

    def test_stopped(self) -> None:
        """A stop waits for what is being computed, and not for what waits for that."""
        happened, began, ran = threading.Event(), threading.Event(), threading.Event()

        def first() -> None:
            began.set()
            happened.wait(10)

        self.computing.compute(first)
        self.computing.compute(ran.set)
        began.wait(10)
        threading.Timer(0.1, happened.set).start()
        self.computing.stop()
        self.assertFalse(ran.is_set())

    def test_cancelled(self) -> Deferred[Any]:
        """What nobody wants any more is not computed."""
        happened, ran = threading.Event(), threading.Event()
        first = self.computing.compute(happened.wait)
        second = self.computing.compute(ran.set)
        second.cancel()
        happened.set()
        cancelled = self.assertFailure(second, CancelledError)
        last = self.computing.compute(lambda: None)
        done = gatherResults([first, cancelled, last])
        return done.addCallback(lambda _: self.assertFalse(ran.is_set()))

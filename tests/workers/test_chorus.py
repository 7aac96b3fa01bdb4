"""What is asked of all workers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gateway.control.question import Asker
from gateway.observe.metrics import Metrics
from gateway.workers.chorus import Chorus


class Answering:
    """A worker that has spent too much, and should not be asked for so many seconds."""

    def __init__(self, rest: float) -> None:
        self._rest = rest

    def ask(self, message: dict[str, Any]) -> Deferred[dict[str, Any]]:
        return succeed({"said": {"asked": message["asked"]}, "rest": self._rest})

    def learn(self, answer: dict[str, Any]) -> None:
        """It has told nothing."""


class RestTests(SynchronousTestCase):
    """Who asks again and again costs no worker more than its share of all time."""

    def test_rest(self) -> None:
        """The rest of that one counts which needs the longest, and passes with time."""
        clock = Clock()
        hands: Any = [Answering(2.0), Answering(5.0), Answering(0.0)]
        chorus = Chorus(clock, Metrics(), lambda: hands, dict)
        self.assertEqual(chorus.rest, 0)
        said = self.successResultOf(chorus.ask({"ask": "x"}, Asker("me")))
        self.assertEqual(said, [{"asked": {"ask": "x"}}] * 3)
        self.assertEqual(chorus.rest, 5)
        clock.advance(4)
        self.assertEqual(chorus.rest, 1)
        clock.advance(4)
        self.assertEqual(chorus.rest, 0)

"""The chorus: what is asked of all workers, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from gateway.observe.metrics import Metrics
from gateway.observe.sums import Sum, own_figures, state_of, text_of
from gateway.workers.hand import Hand

ANSWER_SECONDS = 2.0
"""For a worker to answer what somebody asks all of them."""


class Chorus:
    """
    @param clock: Twisted's.
    @param metrics: this process's, with what former workers have counted.
    @param hands: all workers.
    @param present: those whose figures are told, by their indices.
    """

    def __init__(
        self,
        clock: Any,
        metrics: Metrics,
        hands: Callable[[], Iterable[Hand]],
        present: Callable[[], Mapping[int, Hand]],
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._hands = hands
        self._present = present
        self._rested = 0.0

    @property
    def rest(self) -> float:
        """
        For how many seconds who asks again and again should not: answers have cost some worker
        more than their share of all time.
        """
        now: float = self._clock.seconds()
        return max(0.0, self._rested - now)

    def text(self) -> Deferred[bytes]:
        """All metrics in Prometheus's text format."""
        return self._from_all({"metrics": True}).addCallback(lambda _: self._text())

    def _text(self) -> bytes:
        whole, own = Sum(), self._metrics
        whole.metrics.divert_installed = own.divert_installed
        whole.metrics.divert_lost = own.divert_lost
        whole.metrics.policy_current = own.policy_current
        whole.metrics.policy = own.policy
        whole.add(state_of(own))
        for hand in self._hands():
            if hand.state is not None:
                whole.add(hand.state)
        processes = {"supervisor": own_figures()}
        for index, hand in sorted(self._present().items()):
            if hand.state is not None:
                processes[str(index)] = hand.state["process"]
        return text_of(whole.metrics, processes)

    def ask(self, asked: Any, asker: Any) -> Deferred[list[Any]]:
        """What all workers answer to an operator's question, those that do in time."""
        return self._from_all({"asked": dict(asked), "asker": [asker.name, asker.may_change]})

    def _from_all(self, message: dict[str, Any]) -> Deferred[list[Any]]:
        def answered(answer: Any, hand: Hand) -> Any:
            hand.learn(answer)
            rested = self._clock.seconds() + answer.get("rest", 0.0)
            self._rested = max(self._rested, rested)
            return answer.get("said")

        asked = []
        for hand in self._hands():
            one = hand.ask(message)
            one.addTimeout(ANSWER_SECONDS, self._clock)
            asked.append(one.addCallback(answered, hand))
        gathered = DeferredList(asked, consumeErrors=True)
        return gathered.addCallback(lambda found: [answer for is_, answer in found if is_])

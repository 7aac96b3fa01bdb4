"""Questions: the table of all that can be asked, whoever asks, and by whatever way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from gateway.control.budget import Budget
from gateway.control.following import MOST, Follower, Following
from gateway.control.question import Answer, Asked, Asker, Misasked, NotAllowed, Question
from gateway.observe.log import PrintableLogger

log = PrintableLogger()


class Records(Protocol):
    """What can be followed, see L{gateway.control.following.Followed}."""

    def follow(self, asked: Asked, follower: Follower, most: int = MOST) -> Following:
        """Tell C{follower} what comes."""


class Questions:
    """
    @param table: what can be asked, by name.
    @param records: the audit, to be followed.
    @param budget: what answers may cost.
    @param elsewhere: for how many seconds other processes should not be asked again, likewise.
    """

    def __init__(
        self,
        table: Mapping[str, Question],
        records: Records,
        budget: Budget,
        elsewhere: Callable[[], float] = float,
    ) -> None:
        self._table = table
        self._records = records
        self._budget = budget
        self._elsewhere = elsewhere

    @property
    def rest(self) -> float:
        """
        For how many seconds who asks again and again should not, as answers have cost more
        than their share of all time. Whoever asks once need not care.
        """
        return max(self._budget.rest, self._elsewhere())

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer]:
        """
        Answer a question.

        @return: never fails. An answer with a text in C{problem} says why there is none.
        """
        ask: Any = self._ask  # mypy: a Deferred or not
        return maybeDeferred(ask, asked, asker).addErrback(_failed, asked)

    def _ask(self, asked: Asked, asker: Asker) -> Deferred[Answer] | Answer:
        question = self._find(asked)
        if question.changes and not asker.may_change:
            raise NotAllowed(f"{asker.name} may look, and not change anything")
        return question.ask(asked, asker)

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """
        What several workers have answered to one question, as one answer. If one of them has a
        problem, that is it.
        """
        for answer in answers:
            if answer.get("problem"):
                return answer
        return self._find(asked).merge(asked, answers)

    def follow(self, asked: Asked, follower: Follower, most: int = MOST) -> Following:
        """
        Tell C{follower} the audit records that match, from now on.

        @param most: how many there may be who follow, then.

        @raise Misasked: no such filter.
        """
        return self._records.follow(asked, follower, most)

    def _find(self, asked: Asked) -> Question:
        name = asked.get("ask")
        question = self._table.get(name) if isinstance(name, str) else None
        if question is None:
            raise Misasked("this gateway does not know that question")
        return question


def _failed(failure: Failure, asked: Asked) -> Answer:
    """There is always an answer."""
    if isinstance(failure.value, Misasked):
        allowed = {"allowed": False} if isinstance(failure.value, NotAllowed) else {}
        return {"problem": str(failure.value), **allowed}
    log.failure("{asked} could not be answered", failure, asked=asked.get("ask"))
    return {"problem": "a bug; the traceback is in the gateway's log"}

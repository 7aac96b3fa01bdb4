"""Controlling: all that can be asked of this process, put together."""

from __future__ import annotations

from collections.abc import Callable, Collection
from time import monotonic, thread_time
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from gateway.control.budget import Budget
from gateway.control.done import Done
from gateway.control.draining import Drain
from gateway.control.everyone import Everyone, Others
from gateway.control.explaining import Explain
from gateway.control.following import Followed, Tap
from gateway.control.kernel import Kernel
from gateway.control.killing import Kill
from gateway.control.question import Question
from gateway.control.questions import Questions
from gateway.control.rules import Rules
from gateway.control.running import Register
from gateway.control.sessions import Sessions
from gateway.control.status import Life, Status
from gateway.control.story import Show
from gateway.control.survey import Surveys
from gateway.observe.metrics import Metrics


class Passages(Protocol):
    """The sessions that the kernel has, see L{gateway.release.passages.Passages}."""

    @property
    def carried(self) -> int:
        """How many there are."""

    def count(self, wanted: Collection[int]) -> Deferred[dict[int, Any]]:
        """What it has carried of them."""


def questions(
    reactor: Any,
    register: Register,
    metrics: Metrics,
    records: Tap,
    life: Callable[[], Life],
    passages: Passages,
    others: Others | None = None,
    rest: Callable[[], float] = float,
    **done: Done,
) -> Questions:
    """
    What one process answers for its own sessions, and for those of its workers.

    @param records: the audit.
    @param life: tells how the gateway is.
    @param passages: the sessions that the kernel has.
    @param others: asks the workers, if there are some.
    @param rest: for how many seconds they should not be asked again, as they have spent too much.
    @param done: what else can be asked for, by name.
    """
    budget = Budget(monotonic, thread_time)
    kernel = Kernel(reactor, passages.count)
    surveys = Surveys(register, reactor, budget, kernel)

    def policy() -> Any:
        return metrics.policy()

    table: dict[str, Question] = {
        "status": Status(register, metrics, life, lambda: passages.carried, reactor.seconds),
        "sessions": Sessions(surveys, reactor, budget, policy),
        "show": Show(register, reactor, kernel),
        "drain": Drain(register),
        "explain": Explain(policy),
        "rules": Rules(metrics),
        "kill": Kill(register, surveys, reactor, budget, policy),
    }
    if others is not None:
        table = {name: Everyone(question, others) for name, question in table.items()}
    return Questions({**table, **done}, Followed(records), budget, rest)

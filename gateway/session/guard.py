"""How inspectors are called: whatever goes wrong there ends one session and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gateway.agreement import Insecure
from gateway.interfaces import Denied, Outcome, Unreachable, Verdict

T = TypeVar("T")

BROKEN = Verdict(Outcome.BROKEN, "a bug: the traceback is in the log")
"""How a session ends whose inspector fails."""


class Guarded(Protocol):
    """A session, on the wire or stacked."""

    @property
    def ending(self) -> bool:
        """Whether its verdict is known already."""

    def deny(self, reason: str, reply: bytes = b"") -> None:
        """The peer did what is not allowed."""

    def give_up(self, error: Unreachable | Insecure) -> None:
        """
        The server can't be reached, or TLS can't be agreed, and the inspector has no answer to
        that.
        """

    def break_off(self, failure: Failure) -> None:
        """A bug: log it, and deny."""


def call(session: Guarded, told: Callable[..., Any], *arguments: Any) -> Deferred[Any] | None:
    """
    Call the inspector.

    @return: the decision that it awaits, if any.
    """
    try:
        decision = told(*arguments)
    except Denied as denied:
        session.deny(denied.reason, denied.reply)
    except Exception:
        failed(Failure(), session)  # type: ignore[no-untyped-call]
    else:
        # Nearly always nothing: asking whether that is a Deferred costs as much as the call.
        if decision is not None and isinstance(decision, Deferred):
            return decision
    return None


def failed(failure: Failure, session: Guarded) -> None:
    """A decision, or a call, failed. Whose fault it is decides what becomes of it."""
    error = failure.value
    if isinstance(error, Denied):
        session.deny(error.reason, error.reply)
    elif isinstance(error, Unreachable | Insecure):
        session.give_up(error)
    elif not (session.ending and isinstance(error, CancelledError)):
        session.break_off(failure)


def unheeded(failure: Failure, session: Guarded) -> None:
    """A Deferred that was handed out failed, and the inspector did not care."""
    if not isinstance(failure.value, CancelledError):
        failed(failure, session)


def promise() -> Deferred[Any]:
    """What an inspector gets that fires later, or never: to cancel it is no failure."""
    return Deferred(_given_up)


def _given_up(promised: Deferred[Any]) -> None:
    promised.errback(CancelledError())
    promised.addErrback(lambda _: None)


def watched(result: Deferred[T], session: Guarded, clock: IReactorTime) -> Deferred[T]:
    """
    What an inspector gets for C{result}: the same, and whoever has it may leave its failure to
    the session, which then ends as if the inspector had raised it. To cancel it is no failure.
    """
    if result.called and not isinstance(result.result, Failure):
        clock.callLater(0, result.addErrback, unheeded, session)  # for a callback that fails
        return result
    handed: Deferred[T] = Deferred(lambda _: result.cancel())

    def fire(outcome: T | Failure) -> None:
        if not handed.called:
            handed.callback(outcome)
            handed.addErrback(unheeded, session)

    # A failure comes in the next turn: it can be awaited, which takes none from a Deferred that
    # has it already.
    result.addBoth(partial(clock.callLater, 0, fire) if result.called else fire)
    return handed

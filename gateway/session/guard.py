"""
A Guard calls inspectors, and whatever goes wrong there ends one session and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from gateway.interfaces import Denied, Unreachable


class Guarded(Protocol):
    """A session, on the wire or stacked."""

    @property
    def ending(self) -> bool:
        """Whether its verdict is known already."""

    def deny(self, reason: str, reply: bytes = b"") -> None:
        """The peer did what is not allowed."""

    def give_up(self, error: Unreachable) -> None:
        """The server can't be reached, and the inspector has no answer to that."""

    def break_off(self, failure: Failure) -> None:
        """A bug: log it, and deny."""


class Guard:
    """Whose fault an error is decides what becomes of it."""

    __slots__ = ("_session",)

    def __init__(self, session: Guarded) -> None:
        self._session = session

    def call(self, told: Callable[..., Any], *arguments: Any) -> Deferred[Any] | None:
        """
        Call the inspector.

        @return: the decision that it awaits, if any.
        """
        try:
            decision = told(*arguments)
        except Denied as denied:
            self._session.deny(denied.reason, denied.reply)
        except Exception:
            self.failed(Failure())  # type: ignore[no-untyped-call]
        else:
            if isinstance(decision, Deferred):
                return decision
        return None

    def failed(self, failure: Failure) -> None:
        """A decision, or a call, that failed."""
        error = failure.value
        if isinstance(error, Denied):
            self._session.deny(error.reason, error.reply)
        elif isinstance(error, Unreachable):
            self._session.give_up(error)
        elif not (self._session.ending and isinstance(error, CancelledError)):
            self._session.break_off(failure)

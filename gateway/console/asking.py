"""Whom the console asks: this process, or all workers."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from gateway.control.following import MOST, Follower, Following
from gateway.control.question import Answer, Asked, Asker


class Asking(Protocol):
    """See L{Questions<gateway.control.questions.Questions>}."""

    @property
    def rest(self) -> float:
        """For how many seconds who asks again and again should not."""

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer]:
        """Answer a question; it never fails."""

    def follow(self, asked: Asked, follower: Follower, most: int = MOST) -> Following:
        """Tell C{follower} the audit records that match, from now on."""

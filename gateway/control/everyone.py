"""A question that all workers are asked, and this process, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from gateway.control.question import Answer, Asked, Asker, Misasked, Question
from gateway.control.running import Running

Others = Callable[[Asked, Asker], "Deferred[list[Answer]]"]
"""Asks all workers. What it gives fires with the answers of those that have answered."""


class Elsewhere:
    """
    In place of a register, in a process that has no sessions.

    @param most: how many there may be in all.
    @ivar draining: whether none is to begin.
    """

    running: Mapping[int, Running] = MappingProxyType({})
    room = False

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self.draining = False

    @property
    def most(self) -> int:
        """How many there may be."""
        return self._most()

    def give_room(self) -> None:
        """Whoever has sessions sees to that."""


class Everyone:
    """
    @param question: asked here, and puts the answers together.
    """

    def __init__(self, question: Question, others: Others) -> None:
        self._question = question
        self._others = others

    @property
    def changes(self) -> bool:
        """See L{Question<gateway.control.question.Question>}."""
        return self._question.changes

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer]:
        """See L{Question<gateway.control.question.Question>}. The first answer is our own."""
        ask: Any = self._question.ask  # mypy: a Deferred or not
        own: Deferred[Answer] = maybeDeferred(ask, asked, asker)
        return own.addCallback(self._with_others, asked, asker)

    def _with_others(self, own: Answer, asked: Asked, asker: Asker) -> Deferred[Answer]:
        return self._others(asked, asker).addCallback(
            lambda answers: self.merge(asked, [own, *answers])
        )

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}."""
        for answer in answers:
            if answer.get("problem"):
                raise Misasked(answer["problem"])
        return self._question.merge(asked, answers)

"""A question that has something done to the gateway as a whole, such as C{reload}."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from gateway.control.question import Answer, Asked, Asker, check_keys


class Done:
    """
    @param do: does it; gives what is wrong, or an empty text.
    @param keys: what the question may say.
    """

    changes = True

    def __init__(
        self, do: Callable[[Asked, Asker], Deferred[str] | str], keys: Sequence[str] = ()
    ) -> None:
        self._do = do
        self._keys = keys

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer] | Answer:
        """See L{Question<gateway.control.question.Question>}."""
        check_keys(asked, self._keys)
        done = self._do(asked, asker)
        if isinstance(done, str):
            return {"problem": done}
        return done.addCallback(lambda problem: {"problem": problem})

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """See L{Question<gateway.control.question.Question>}: none had a problem."""
        return answers[0]

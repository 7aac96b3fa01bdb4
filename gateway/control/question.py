"""A Question is one thing that can be asked: it answers, and makes one answer of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

Asked = Mapping[str, Any]
"""A question as it came: plain JSON data, of which nothing is believed."""

Answer = dict[str, Any]
"""Plain JSON data."""


class Misasked(ValueError):
    """The question is none, or not one for this asker. The message is for him."""


class NotAllowed(Misasked):
    """This asker may look, and not change anything."""


@frozen
class Asker:
    """
    Who asks.

    @ivar name: for records and the log: C{"root (uid 0)"}.
    @ivar may_change: whether he may do more than look.
    """

    name: str
    may_change: bool = False


class Question(Protocol):
    """
    One thing that can be asked.

    @ivar changes: whether the asker needs the right to change something.
    """

    @property
    def changes(self) -> bool:
        """Whether the asker needs the right to change something."""

    def ask(self, asked: Asked, asker: Asker) -> Deferred[Answer] | Answer:
        """
        Answer, now or later.

        @raise Misasked: the asker's mistake; a Deferred may fail with it, too.
        """

    def merge(self, asked: Asked, answers: Sequence[Answer]) -> Answer:
        """What several workers have answered to the same question, as one answer."""


def check_keys(asked: Asked, known: Sequence[str]) -> None:
    """
    Nobody asks in vain.

    @raise Misasked: it has a key that is not known.
    """
    strange = sorted(str(key)[:64] for key in asked.keys() - {"ask", *known})
    if strange:
        raise Misasked(f"{', '.join(strange)}: no such key; there are {', '.join(known) or 'none'}")


def number(asked: Asked, key: str, default: float | None = None) -> float | None:
    """
    The number of C{key}.

    @raise Misasked: it is none, or below zero.
    """
    value = asked.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e18:
        raise Misasked(f"{key}: not a number of 0 or more")
    return value


def text(asked: Asked, key: str) -> str:
    """
    The text of C{key}; empty if there is none.

    @raise Misasked: it is none.
    """
    value = asked.get(key, "")
    if not isinstance(value, str):
        raise Misasked(f"{key}: not a text")
    return value


def truth(asked: Asked, key: str) -> bool:
    """
    Whether C{key} is true.

    @raise Misasked: it is neither true nor false.
    """
    value = asked.get(key, False)
    if not isinstance(value, bool):
        raise Misasked(f"{key}: neither true nor false")
    return value

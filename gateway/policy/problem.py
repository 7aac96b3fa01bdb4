"""What is wrong with a configuration, for whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from attrs import frozen

from gateway.policy.place import Place


@frozen(order=True)
class Problem:
    """One thing that is wrong, where it is written, and what to do about it."""

    place: Place
    key: str
    message: str

    def __str__(self) -> str:
        return (
            f"{self.place}: {self.key}: {self.message}"
            if self.key
            else (f"{self.place}: {self.message}")
        )


class PolicyError(Exception):
    """
    The configuration is wrong, and nothing may start with it.

    C{problems} holds all that was found, sorted by place.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the known one closest to it, if any is close."""
    close = get_close_matches(word, list(known), 1)
    return f'; did you mean "{close[0]}"?' if close else ""

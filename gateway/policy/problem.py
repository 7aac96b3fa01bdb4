"""What is wrong with a configuration, for whoever wrote it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from attrs import frozen

from gateway.policy.place import Place


@frozen(order=True)
class Problem:
    """
    One thing that is wrong, where it is written, and what to do about it.

    A policy with a problem is refused; a C{warning} is what a policy can do with, and what the
    operator surely did not mean.
    """

    place: Place
    key: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        parts = (str(self.place), "warning" if self.warning else "", self.key, self.message)
        text = ": ".join(part for part in parts if part)
        # The name of a file need not be UTF-8.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


class PolicyError(Exception):
    """
    The configuration is wrong, and nothing may start with it.

    C{problems} holds all that was found, sorted by place; C{warnings} what was found besides.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = sorted(set(problems))
        self.problems: tuple[Problem, ...] = tuple(each for each in found if not each.warning)
        self.warnings: tuple[Problem, ...] = tuple(each for each in found if each.warning)
        super().__init__("\n".join(map(str, self.problems)))


RENAMED: Mapping[str, str] = {"log": "audit", "audit": "file"}
"""What tables and keys were called before 0.1.0, and what they are called now."""


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The end of a message about an unknown word: its new name, or the known one closest to it."""
    if RENAMED.get(word) in known:
        return f'; its name is "{RENAMED[word]}" now'
    close = get_close_matches(word, known, 1)
    return f'; did you mean "{close[0]}"?' if close else ""

"""Loads the policy for a command, or tells the operator everything that is wrong with it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import click

from gateway.cli.terminal import Terminal
from gateway.policy.load import PolicyError, load
from gateway.policy.policy import Policy
from gateway.policy.problem import Problem
from gateway.registry import find

BAD_POLICY = 3
"""The exit status if the policy is refused: the operator's mistake in a file, not in a command."""


class BadPolicy(click.ClickException):
    """The policy in C{directory} was refused; all its problems are shown, not the first alone."""

    exit_code = BAD_POLICY

    def __init__(self, directory: Path, error: PolicyError) -> None:
        super().__init__(f"the policy in {directory} was refused")
        self._directory = directory
        self._error = error

    def show(self, file: IO[Any] | None = None) -> None:
        show_problems(self._error.warnings)
        show_problems(self._error.problems)
        count = counted(len(self._error.problems), "problem")
        Terminal(error=True).say(f"{self._directory}: refused, {count}.", "bold red")


def show_problems(problems: Iterable[Problem]) -> None:
    """Each on a line of standard error; warnings stand out from what is worse."""
    terminal = Terminal(error=True)
    for problem in problems:
        terminal.say(str(problem), "yellow" if problem.warning else "")


def counted(number: int, noun: str) -> str:
    """C{1 rule}, C{2 rules}."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def load_policy(directory: Path) -> Policy:
    """
    The policy in C{directory}.

    @raise BadPolicy: it was refused.
    """
    try:
        return load(directory, find)
    except PolicyError as error:
        raise BadPolicy(directory, error) from None


def read_plugin_path(directory: Path) -> tuple[Path, ...]:
    """
    The folders of C{plugin_path} in gateway.toml, whatever else is right or wrong in there;
    none, if there is no such file. Somebody who asks for the list of inspectors may just be
    mending the policy.
    """
    try:
        text = (directory / "gateway.toml").read_text(encoding="utf-8")
        folders = tomllib.loads(text).get("plugin_path", [])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{directory / 'gateway.toml'}: {error}") from None
    return tuple(directory / str(folder) for folder in folders)

"""Loads the policy for a command, or tells the operator everything that is wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import IO, Any

import click

from gateway.cli.terminal import Terminal
from gateway.policy.load import PolicyError, load
from gateway.policy.policy import Policy
from gateway.registry import find


class BadPolicy(click.ClickException):
    """The policy in C{directory} was refused; all its problems are shown, not the first alone."""

    exit_code = 2

    def __init__(self, directory: Path, error: PolicyError) -> None:
        super().__init__(f"the policy in {directory} was refused")
        self._directory = directory
        self._problems = error.problems

    def show(self, file: IO[Any] | None = None) -> None:
        terminal = Terminal(error=True)
        for problem in self._problems:
            terminal.say(str(problem))
        count = len(self._problems)
        terminal.say(
            f"{self._directory}: refused, {count} problem{'s' if count > 1 else ''}.", "bold red"
        )


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

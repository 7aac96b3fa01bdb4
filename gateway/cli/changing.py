"""What has the running gateway as a whole changed: C{reload}, C{upgrade}."""

from __future__ import annotations

from typing import IO, Any

import click

from gateway.cli.configuration import BAD_POLICY
from gateway.cli.terminal import Terminal
from gateway.control.client import Client


class Unchanged(click.ClickException):
    """
    It was not done.

    @param still: what goes on as before.
    """

    exit_code = BAD_POLICY

    def __init__(self, problem: str, still: str) -> None:
        super().__init__(problem)
        self._still = still

    def show(self, file: IO[Any] | None = None) -> None:
        """Why, and what goes on."""
        terminal = Terminal(error=True)
        terminal.say(self.message)
        terminal.say(self._still, "bold red")


def change(client: Client, what: str, still: str) -> None:
    """
    Have it done, and wait for that.

    @param still: what goes on as before, if it can't be done.
    @raise click.ClickException: the gateway says why not.
    """
    answer = client.ask(what)
    if not answer.get("allowed", True):
        raise click.ClickException(answer["problem"])
    if answer["problem"]:
        raise Unchanged(answer["problem"], still)

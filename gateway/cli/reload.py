"""C{tproxygw reload}: have the gateway read its configuration again, and hear what came of it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.asking import asking, control_option
from gateway.cli.configuration import BAD_POLICY
from gateway.cli.terminal import Terminal


@click.command("reload")
@control_option
@click.pass_context
def command(ctx: click.Context, path: Path) -> None:
    """Have the running gateway read its configuration again.

    Waits until the new policy is in force. If it is refused, says why, and
    exits with 3; the former policy stays in force. (SIGHUP does the same, and
    waits for nothing.)
    """
    with asking(path) as client:
        answer = client.ask("reload")
    problem = answer["problem"]
    if not answer.get("allowed", True):
        raise click.ClickException(problem)
    if problem:
        terminal = Terminal(error=True)
        terminal.say(problem)
        terminal.say("Not reloaded: the former policy is still in force.", "bold red")
        ctx.exit(BAD_POLICY)
    Terminal().say("Reloaded.", "green")

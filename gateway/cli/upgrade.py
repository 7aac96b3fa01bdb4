"""C{tproxygw upgrade}: go on with the code that is installed now."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.asking import asking, control_option
from gateway.cli.configuration import BAD_POLICY
from gateway.cli.terminal import Terminal


@click.command("upgrade")
@control_option
@click.pass_context
def command(ctx: click.Context, path: Path) -> None:
    """Have the running gateway go on with the code that is installed now.

    New workers take over, and the former ones go on as long as they have
    sessions: none is lost, and no connection is refused. Then the process
    itself becomes what is installed. The configuration is read again as with
    a reload. Needs [workers] count greater than 1. The keeper and the signer
    are upgraded by a restart of their own. (SIGUSR2 does the same, and waits
    for nothing.)
    """
    with asking(path) as client:
        answer = client.ask("upgrade")
    problem = answer["problem"]
    if not answer.get("allowed", True):
        raise click.ClickException(problem)
    if problem:
        terminal = Terminal(error=True)
        terminal.say(problem)
        terminal.say("Not upgraded: the former workers go on.", "bold red")
        ctx.exit(BAD_POLICY)
    Terminal().say("Upgraded.", "green")

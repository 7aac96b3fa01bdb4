"""C{tproxygw reload}: have the gateway read its configuration again, and hear what came of it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.configuration import BAD_POLICY
from gateway.cli.terminal import Terminal
from gateway.control.client import DEFAULT, Client


@click.command("reload")
@click.option(
    "--control",
    "path",
    type=click.Path(path_type=Path),
    default=DEFAULT,
    show_default=True,
    help="The socket that the gateway answers at.",
)
@click.pass_context
def command(ctx: click.Context, path: Path) -> None:
    """Have the running gateway read its configuration again.

    Waits until the new policy is in force. If it is refused, says why, and
    exits with 3; the former policy stays in force. (SIGHUP does the same, and
    waits for nothing.)
    """
    try:
        with Client(path) as client:
            problem = client.ask("reload")["problem"]
    except EOFError:
        raise click.ClickException("the gateway ended before it had reloaded") from None
    except OSError as error:
        raise click.ClickException(
            f"can't ask the gateway at {path}: {error.strerror}; is it running?"
        ) from None
    if problem:
        terminal = Terminal(error=True)
        terminal.say(problem)
        terminal.say("Not reloaded: the former policy is still in force.", "bold red")
        ctx.exit(BAD_POLICY)
    Terminal().say("Reloaded.", "green")

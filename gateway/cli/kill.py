"""C{tproxygw kill}: end sessions, with a reset to both sides."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.asking import answered, asking, control_option, filter_options
from gateway.cli.configuration import counted
from gateway.cli.terminal import Terminal
from gateway.control.client import Client


@click.command("kill")
@control_option
@filter_options
@click.option("--all", "everything", is_flag=True, help="All sessions that run.")
@click.option("--why", metavar="TEXT", help="A few words for the records.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.argument("numbers", type=int, metavar="[ID]...", nargs=-1)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    path: Path,
    everything: bool,
    why: str | None,
    yes: bool,
    numbers: tuple[int, ...],
    **filters: Any,
) -> None:
    """End sessions: those with these IDs, or all that match the filters.

    Both sides get a reset. Connections that such a session has announced (FTP data)
    end with it. The records say who did it. Exits with 1 if there was nothing to end.

    \b
    tproxygw kill 1850000000000001 --why "ticket 7"
    tproxygw kill --service web --client 10.1.2.3
    """
    chosen = {key: value for key, value in filters.items() if value is not None}
    if bool(numbers) + bool(chosen) + everything != 1:
        raise click.UsageError("which ones? Give IDs, or filters, or --all")
    if numbers:
        chosen = {"id": list(numbers)}
    with asking(path) as client:
        if not (yes or numbers) and sys.stdin.isatty():
            _confirm(client, chosen)
        what = {"all": True} if everything else chosen
        killed = answered(client, "kill", why=why, **what)["killed"]
    Terminal().say(f"{counted(killed, 'session')} ended.")
    if not killed:
        ctx.exit(1)


def _confirm(client: Client, chosen: dict[str, Any]) -> None:
    """Say how many it would be."""
    found = answered(client, "sessions", limit=0, **chosen)["found"]
    click.confirm(f"End {counted(found, 'session')}?", abort=True)

"""C{tproxygw reload}: have the gateway read its configuration again, and hear what came of it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.asking import asking, control_option
from gateway.cli.changing import change
from gateway.cli.terminal import Terminal


@click.command("reload")
@control_option
def command(path: Path) -> None:
    """Have the running gateway read its configuration again.

    Waits until the new policy is in force. If it is refused, says why, and
    exits with 3; the former policy stays in force. (SIGHUP does the same, and
    waits for nothing.)
    """
    with asking(path) as client:
        change(client, "reload", "Not reloaded: the former policy is still in force.")
    Terminal().say("Reloaded.", "green")

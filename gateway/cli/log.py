"""C{tproxygw log}: how much the running gateway tells of itself."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.asking import answered, asking, control_option
from gateway.cli.terminal import Terminal
from gateway.control.level import LEVELS


@click.group("log")
def command() -> None:
    """The running gateway's diagnostics."""


@command.command("level")
@control_option
@click.argument("level", type=click.Choice(LEVELS), required=False)
def level(path: Path, level: str | None) -> None:
    """Show from which level on messages are logged, or change it.

    Until the next start. Audit records are not concerned.
    """
    with asking(path) as client:
        if level is not None:
            answered(client, "log", level=level)
        shown = answered(client, "status")["log"]["level"]
    Terminal().say(shown)

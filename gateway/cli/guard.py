"""C{tproxygw guard}: the rules that are in force while no gateway is there."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.arguments import config_option, state_option
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal
from gateway.kernel.divert import KernelDivert
from gateway.kernel.errors import KernelError
from gateway.kernel.lastgood import LastGood


@click.group("guard")
def command() -> None:
    """What is in force while no gateway is there.

    The rules of the last good policy: what it would inspect is blocked, what
    it denies is denied. tproxygw-guard.service loads them at boot.
    """


@command.command("keep")
@config_option
@state_option
def keep(directory: Path, state: Path) -> None:
    """Keep the rules of the policy in DIRECTORY for the guard.

    The keeper does that whenever it has installed them; this is for the time
    before the first start. Nothing changes in the kernel.
    """
    policy = load_policy(directory)
    try:
        with LastGood(state).replaced(directory.absolute(), policy):
            pass
    except KernelError as error:
        raise click.ClickException(str(error)) from None
    Terminal().say(f"{state}: the guard has the rules of {directory}.", "green")


@command.command("remove")
def remove() -> None:
    """Remove the rules while no gateway and no keeper runs.

    What would be inspected passes uninspected then, until the next boot or
    start. First: systemctl stop tproxygw tproxygw-keeper
    """
    try:
        left = KernelDivert().remove_abandoned()
    except KernelError as error:
        raise click.ClickException(str(error)) from None
    if left:
        raise click.ClickException(
            f"the rules of port {', '.join(map(str, sorted(left)))} are those of a keeper or a "
            "gateway that runs. First: systemctl stop tproxygw tproxygw-keeper"
        )
    Terminal().say("No rules of a gateway are in force.", "yellow")

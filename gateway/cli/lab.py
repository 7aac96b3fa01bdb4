"""C{tproxygw lab}: the gateway in a laboratory of network namespaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.arguments import DIRECTORY
from gateway.cli.configuration import load_policy
from gateway.cli.terminal import Terminal
from gateway.lab import LabError, demonstrate, down, shell, up

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "conf"
"""The example configuration of the source tree."""


class Laboratory(click.Group):
    """What an operator must mend first is a message, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LabError as error:
            raise click.ClickException(str(error)) from None


@click.group("lab", cls=Laboratory, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """A client, the gateway and a server in namespaces.

    Without a command: demonstrate. It needs root, and never touches the host's
    own network.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


def _example(directory: Path | None) -> Path:
    """
    The folder that was asked for, or the example configuration.

    @raise click.UsageError: there is none where this was installed.
    """
    if directory is not None:
        return directory
    if not EXAMPLE.is_dir():
        raise click.UsageError("the example configuration is not installed: name a folder")
    return EXAMPLE


@command.command("demonstrate")
@click.argument("directory", type=DIRECTORY, required=False)
@click.pass_context
def show(ctx: click.Context, directory: Path | None = None) -> None:
    """Send real connections through the gateway, show what happened, and clean up."""
    directory = _example(directory)
    load_policy(directory)
    if not demonstrate(directory):
        Terminal(error=True).say("Some connections did not fare as the policy says.", "bold red")
        ctx.exit(1)


@command.command("up")
@click.argument("directory", type=DIRECTORY, required=False)
def open_it(directory: Path | None) -> None:
    """Open a laboratory with the configuration in DIRECTORY, and leave it open."""
    directory = _example(directory)
    load_policy(directory)
    laboratory = up(directory)
    Terminal().say(
        f"The laboratory is open with {directory}.\n"
        "\n"
        "  tproxygw lab shell client     a shell where the client is; also: gateway, server\n"
        f"  export TPROXYGW_CONTROL={laboratory.daemon.control}\n"
        "        and tproxygw status, sessions, events, … ask this gateway\n"
        f"  tail -f {laboratory.audit}     the audit records\n"
        f"  less {laboratory.daemon.log}     the gateway's log\n"
        f"  kill -HUP {laboratory.daemon.pid}     have the gateway read a changed configuration\n"
        f"  {laboratory.believed}     what clients believe\n"
        "  tproxygw lab down     close it"
    )


@command.command("shell", context_settings={"allow_interspersed_args": False})
@click.argument("name", metavar="client|gateway|server")
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def enter(ctx: click.Context, name: str, program: tuple[str, ...]) -> None:
    """Open a shell in one of the namespaces, or run PROGRAM there."""
    ctx.exit(shell(name, command=program))


@command.command("down")
def close_it() -> None:
    """Close the laboratory, and clean up what a crashed one has left."""
    down()

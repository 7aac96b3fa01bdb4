"""C{tproxygw inspectors}: which protocols can service files name?"""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.arguments import DEFAULT_DIRECTORY, DIRECTORY
from gateway.cli.configuration import read_plugin_path
from gateway.cli.terminal import Terminal
from gateway.registry import makers


@click.command("inspectors")
@click.option(
    "--config",
    "directory",
    type=DIRECTORY,
    help=f"The folder with gateway.toml, for its plugin_path.  [default: {DEFAULT_DIRECTORY}]",
)
def command(directory: Path | None) -> None:
    """List the inspectors that service files can name."""
    path = read_plugin_path(directory or DEFAULT_DIRECTORY)
    try:
        found = makers(path)
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    rows = ((maker.name, maker.description) for maker in found)
    Terminal().table(("inspector", "what it is"), rows)

"""C{tproxygw keeper}: the privileged process, as a service of its own."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.arguments import config_option, state_option


@click.command("keeper")
@config_option
@state_option
@click.option(
    "--listen",
    "path",
    type=click.Path(path_type=Path),
    default=Path("/run/tproxygw-keeper/socket"),
    show_default=True,
    help="The socket that gateways connect to.",
)
def command(directory: Path, state: Path, path: Path) -> None:
    """Run the keeper, which installs the kernel's rules and looks after them.

    It outlives restarts, stops and upgrades of the gateway, and nobody can
    flush the rules meanwhile. Give `twistd tproxygw` its socket by --keeper.
    Needs CAP_NET_ADMIN and CAP_NET_RAW; see tproxygw-keeper.service.
    """
    from gateway.kernel.keeper.__main__ import serve

    try:
        serve(directory, state, path)
    except OSError as error:
        raise click.ClickException(f"not started: {error}") from None

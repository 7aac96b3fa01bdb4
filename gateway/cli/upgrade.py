"""C{tproxygw upgrade}: go on with the code that is installed now."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import click

from gateway.cli.asking import asking, control_option
from gateway.cli.changing import change
from gateway.cli.terminal import Terminal
from gateway.control.client import Client

END_SECONDS = 10.0
"""For the process to become other code, and so end its connections."""

AGAIN_SECONDS = 60.0
"""For that to answer."""

LOOK_SECONDS = 0.1


@click.command("upgrade")
@control_option
def command(path: Path) -> None:
    """Have the running gateway go on with the code that is installed now.

    New workers take over, and the former ones go on as long as they have
    sessions: none is lost, and no connection is refused. Then the process
    itself becomes what is installed. The configuration is read again as with
    a reload. Needs [workers] count greater than 1. The keeper and the signer
    are upgraded by a restart of their own. Ends when the gateway answers
    again. (SIGUSR2 does the same, and waits for nothing.)
    """
    with asking(path) as client:
        change(client, "upgrade", "Not upgraded: the former workers go on.")
        client.wait_for_end(END_SECONDS)
    if not _is_there_again(path):
        raise click.ClickException(
            f"upgraded, but the gateway has not answered at {path} again: see its log"
        )
    Terminal().say("Upgraded.", "green")


def _is_there_again(path: Path) -> bool:
    """Whether the process, which has become other code, answers: so the next command will be."""
    until = monotonic() + AGAIN_SECONDS
    while monotonic() < until:
        with suppress(OSError, EOFError), Client(path) as client:
            client.ask("status")
            return True
        sleep(LOOK_SECONDS)
    return False

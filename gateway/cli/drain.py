"""C{tproxygw drain}: accept no more, and let what runs come to its end."""

from __future__ import annotations

import time
from pathlib import Path

import click

from gateway.cli.asking import SECONDS, answered, asking, control_option
from gateway.cli.configuration import counted
from gateway.cli.terminal import Terminal
from gateway.control.client import Client

EVERY = 0.5
"""Seconds between two looks."""


@click.command("drain")
@control_option
@click.option("--end", is_flag=True, help="Accept again.")
@click.option("--no-wait", is_flag=True, help="Don't wait until none is left.")
@click.option("--seconds", type=SECONDS, help="Wait so long at most.")
@click.pass_context
def command(
    ctx: click.Context, path: Path, end: bool, no_wait: bool, seconds: float | None
) -> None:
    """Have the gateway accept no more, and wait until no session is left.

    New connections wait in the kernel meanwhile: send them elsewhere first. Nothing
    ends by this command; `tproxygw kill` ends what does not end by itself, and
    `tproxygw drain --end` takes it back. A stop of the gateway drains by itself,
    for limits.stop_seconds.

    Exits with 1 if sessions were left after --seconds.
    """
    terminal = Terminal()
    with asking(path) as client:
        answered(client, "drain", end=end or None)
        if end:
            terminal.say("Accepts again.", "green")
            return
        left = _left(client) if no_wait else _wait(client, seconds)
    if no_wait:
        terminal.say(f"Accepts no more; {counted(left, 'session')} left.")
    elif left:
        terminal.say(f"{counted(left, 'session')} left.", "yellow")
        ctx.exit(1)
    else:
        terminal.say("No session is left.", "green")


def _left(client: Client) -> int:
    return int(answered(client, "status")["sessions"]["running"])


def _wait(client: Client, seconds: float | None) -> int:
    """Until none is left, or the time is over; tells how many there are when that changes."""
    until = None if seconds is None else time.monotonic() + seconds
    told = -1
    while left := _left(client):
        if left != told:
            Terminal(error=True).say(f"{counted(left, 'session')} left")
            told = left
        if until is not None and time.monotonic() >= until:
            break
        time.sleep(EVERY)
    return left

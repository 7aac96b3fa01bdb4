"""C{tproxygw top}: the busiest sessions, as they are now and now."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.cli.asking import answered, asking, control_option, filter_options
from gateway.cli.words import SEEN, rate, seen, size
from gateway.control.client import Answer, Client
from gateway.observe.log import printable

KEYS = {"r": "rate", "b": "bytes", "a": "age", "i": "idle"}
"""What to sort by, by the key for it."""

QUIT = "q"

TITLES = (*SEEN, "to server", "to client")

ABOVE = 4
"""Lines that are no sessions."""


@click.command("top")
@control_option
@filter_options
@click.option(
    "--sort",
    type=click.Choice([*KEYS.values()]),
    default="rate",
    show_default=True,
    help="The most first.",
)
@click.option(
    "--every", type=click.FloatRange(0.5), default=2.0, show_default=True, help="Seconds."
)
@click.option("--count", type=click.IntRange(1), help="End after so many looks.")
def command(path: Path, sort: str, every: float, count: int | None, **filters: Any) -> None:
    """Show the busiest sessions, again and again.

    Keys: r, b, a, i to sort by rate, bytes, age, idleness; q to end.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    with (
        suppress(KeyboardInterrupt),
        asking(path) as client,
        _keys() as keys,
        Live(console=console, screen=True) as live,
    ):
        for left in _countdown(count):
            live.update(_screen(client, sort, filters, console), refresh=True)
            pressed = keys.pressed(every) if left else QUIT
            if pressed == QUIT:
                return
            sort = KEYS.get(pressed, sort)


def _countdown(count: int | None) -> Iterator[bool]:
    """So many times, for ever if nobody says: whether there is another time."""
    if count is None:
        yield from repeat(True)
    else:
        yield from (left > 0 for left in range(count - 1, -1, -1))


class _Keys:
    """What is pressed, if there is a keyboard."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def pressed(self, seconds: float) -> str:
        """The next key, or nothing after so long."""
        if self._descriptor is None:
            time.sleep(seconds)
            return ""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        return os.read(self._descriptor, 1).decode("ascii", "replace") if ready else ""


@contextmanager
def _keys() -> Iterator[_Keys]:
    """Keys one by one, without a line end, and not shown."""
    if not sys.stdin.isatty():
        yield _Keys(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield _Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _screen(client: Client, sort: str, filters: Mapping[str, Any], console: Console) -> Group:
    """One look: as many sessions as there is room for."""
    room = max(1, console.size.height - ABOVE)
    answer = answered(client, "sessions", sort=sort, limit=min(room, 500), **filters)
    table = Table(*TITLES, box=None, pad_edge=False, header_style="bold")
    for row in answer["sessions"]:
        table.add_row(*(Text(printable(cell), no_wrap=True) for cell in _row(row)))
    return Group(Text(_head(answer, sort), style="bold"), Text(), table)


def _head(answer: Answer, sort: str) -> str:
    when = time.strftime("%H:%M:%S", time.localtime(answer["as_of"]))
    keys = " ".join(f"{key}:{word}" for key, word in KEYS.items())
    count = f"{answer['running']} sessions, {answer['found']} match, by {sort}"
    return f"{when}  {count}  {keys} q:quit"


def _row(session: Mapping[str, Any]) -> tuple[str, ...]:
    of, carried = session["rate"], session["bytes"]
    return (
        *seen(session),
        f"{size(carried['to_server'])} {rate(of, 'to_server')}",
        f"{size(carried['to_client'])} {rate(of, 'to_client')}",
    )

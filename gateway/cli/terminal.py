"""What is printed, and that nothing printed can steer the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.observe.log import printable, printable_lines


class Terminal:
    """
    Standard output, or standard error, for an operator to read.

    On a terminal with colours; in a pipe or a file plain, one record a line and
    columns separated by tabs, for other programs. Names and reasons come from
    files, plugins and the wire, so control characters are shown as escapes.
    """

    def __init__(self, *, error: bool = False) -> None:
        self._error = error
        self._console = Console(stderr=error, markup=False, highlight=False, emoji=False)

    def say(self, text: str = "", style: str = "") -> None:
        """Print C{text} and a line end; nothing is wrapped or cut."""
        if self._console.is_terminal:
            self._console.print(Text(printable_lines(text), style=style), soft_wrap=True)
        else:
            click.echo(printable_lines(text), err=self._error)

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[str]], below: str = "") -> None:
        """Print C{rows} under C{titles}; on a terminal, with a few words C{below}."""
        if self._console.is_terminal:
            self._console.print(_table(titles, rows))
            self._console.print(f"\n{below}" if below else "", end="\n" if below else "")
            return
        for row in rows:
            self.say("\t".join(map(printable, row)))


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table

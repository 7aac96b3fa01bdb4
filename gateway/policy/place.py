"""Where in the configuration something was written."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A file (relative to the configuration folder), a line and a column, both from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.at_line}:{self.column}" if self.line and self.column else self.at_line

    @property
    def at_line(self) -> str:
        """Without the column, as records and metrics have it."""
        return f"{self.file}:{self.line}" if self.line else self.file


NOWHERE = Place("(built in)")
"""The place of what no file says: defaults, and objects made by tests."""

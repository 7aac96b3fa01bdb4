"""Where in the configuration something was written."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A file (relative to the configuration folder), a line and a column, both from 1."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        if not self.column:
            return f"{self.file}:{self.line}"
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Place("(built in)")
"""The place of what no file says: defaults, and objects made by tests."""

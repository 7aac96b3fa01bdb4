"""
Stories: what the gateway wants to know again of a released session after a restart.

One small file each, in a folder that a reboot empties, as the sessions are gone then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from gateway.interfaces import Address
from gateway.kernel.release.overlap import Ends

LONGEST = 8192
"""Characters of one, as JSON: it has to fit into an answer, with more around it."""


@frozen
class Story:
    """
    A session, as whoever comes next has to know it.

    @ivar idle: after so many seconds of silence it is ended; 0: never.
    @ivar holder: the name of the gateway's process that accounts for it.
    @ivar told: what the gateway has told; nobody here looks into it.
    @ivar doubled: bytes of each direction that the program has counted though the gateway had
        relayed, and counted, them as well.
    """

    ends: Ends
    idle: float
    told: dict[str, Any]
    doubled: tuple[int, int] = (0, 0)
    holder: str = ""

    def with_more(self, told: dict[str, Any]) -> Story:
        """
        The same, when the gateway has told more.

        @raise ValueError: it is too long.
        """
        more = evolve(self, told={**self.told, **told})
        if more.is_long:
            raise ValueError("the story is too long")
        return more

    @property
    def is_long(self) -> bool:
        """Whether it is longer than what is kept."""
        return len(self.written()) > LONGEST

    def written(self) -> str:
        """As JSON."""
        ends = [list(each) for each in (self.ends.client, self.ends.server, self.ends.source)]
        more = {"idle": self.idle, "told": self.told, "doubled": self.doubled}
        return json.dumps({"ends": ends, **more, "holder": self.holder})

    @classmethod
    def read(cls, text: str) -> Story:
        """
        @raise ValueError: it is none.
        """
        try:
            said = json.loads(text)
            ends = Ends(*(Address(host, port) for host, port in said["ends"]))
            there, back = said["doubled"]
            return cls(
                *(ends, float(said["idle"]), said["told"]),
                doubled=(int(there), int(back)),
                holder=str(said.get("holder", "")),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a story: {error!r}") from error


class Stories:
    """The folder of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(0o700, parents=True, exist_ok=True)

    def put(self, index: int, story: Story) -> None:
        """@raise OSError: there is no room."""
        new = self._path(index).with_suffix(".new")
        new.write_text(story.written())
        new.rename(self._path(index))

    def get(self, index: int) -> Story | None:
        """The story of a session; C{None} if nobody can tell it."""
        try:
            return Story.read(self._path(index).read_text())
        except (OSError, ValueError):
            return None

    def remove(self, index: int) -> None:
        """Harmless if there is none."""
        self._path(index).unlink(missing_ok=True)

    def clear(self, but: set[int]) -> None:
        """Nobody needs the others."""
        needed = {str(index) for index in but}
        for path in self._folder.iterdir():
            if path.name not in needed:
                path.unlink()

    def _path(self, index: int) -> Path:
        return self._folder / str(index)

"""
Stories: what the gateway wants to know again of a released session after a restart.

In a file that a reboot takes away, as the sessions are gone then.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from struct import Struct
from struct import error as struct_error
from typing import Any

from attrs import evolve, frozen

from gateway.interfaces import Address
from gateway.kernel.release.overlap import Ends

_PIECE = 2048
"""Bytes of the file for each."""

_LENGTH = Struct("=I")

_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

LONGEST = _PIECE - _LENGTH.size
"""Bytes of one, as JSON: it has to fit into an answer, too, with more around it."""


@frozen(slots=False)
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
        return len(self.written.encode()) > LONGEST

    @cached_property
    def written(self) -> str:
        """As JSON."""
        ends = [list(each) for each in (self.ends.client, self.ends.server, self.ends.source)]
        more = {"idle": self.idle, "told": self.told, "doubled": self.doubled}
        return _encoded({"ends": ends, **more, "holder": self.holder})

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
    """
    The file of them: a piece of fixed size for each, so that to keep one is a single write.

    @param path: of the file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def put(self, index: int, story: Story) -> None:
        """
        @raise OSError: there is no room.
        @raise ValueError: it is too long.
        """
        written = story.written.encode()
        if len(written) > LONGEST:
            raise ValueError("the story is too long")
        os.pwrite(self._file, _LENGTH.pack(len(written)) + written, index * _PIECE)

    def get(self, index: int) -> Story | None:
        """The story of a session; C{None} if nobody can tell it."""
        try:
            piece = os.pread(self._file, _PIECE, index * _PIECE)
            (length,) = _LENGTH.unpack_from(piece)
            return Story.read(piece[_LENGTH.size : _LENGTH.size + length].decode())
        except (OSError, ValueError, struct_error):
            return None

    def remove(self, index: int) -> None:
        """Harmless if there is none."""
        with suppress(OSError):
            os.pwrite(self._file, _LENGTH.pack(0), index * _PIECE)

    def clear(self, but: set[int]) -> None:
        """Nobody needs the others."""
        for index in range(os.fstat(self._file).st_size // _PIECE + 1):
            if index not in but:
                self.remove(index)
        if not but:
            os.ftruncate(self._file, 0)

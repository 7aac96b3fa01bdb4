"""
Pins: files of a BPF file system that keep maps and links.

So released sessions go on while nobody of ours runs, and whoever comes next finds them.
Where there is no such file system, or it may not be written, nothing is pinned:
released sessions then end with the process that holds them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.kernel.release import bpf
from gateway.kernel.release.bpf import Map


class Pins:
    """
    A folder of pins.

    @param folder: C{None}: nothing is pinned.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def at(cls, folder: Path) -> Pins:
        """Pins in C{folder}, if that can be made."""
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
        except OSError:
            return cls(None)
        return cls(folder)

    @property
    def kept(self) -> bool:
        """Whether anything would outlive this process."""
        return self._folder is not None

    def map(self, name: str, make: Callable[[], Map]) -> Map:
        """
        The map of this name: the one that is pinned, if it has the same shape, or a new one.
        """
        found = self.get(name)
        if found is not None:
            kept = Map.of(found)
            made = make()
            if kept.shape == made.shape:
                os.close(made.descriptor)
                return kept
            os.close(found)
            self.remove(name)
        else:
            made = make()
        self.put(name, made.descriptor)
        return made

    def get(self, name: str) -> int | None:
        """The descriptor of what is pinned as C{name}."""
        if self._folder is None:
            return None
        try:
            return bpf.pinned(str(self._folder / name))
        except OSError:
            return None

    def put(self, name: str, descriptor: int) -> None:
        """Keep it. What can't be kept is lost with this process."""
        if self._folder is not None:
            try:
                bpf.pin(descriptor, str(self._folder / name))
            except OSError:
                self._folder = None

    def names(self, prefix: str) -> list[str]:
        """The names that begin so."""
        if self._folder is None:
            return []
        return [path.name for path in self._folder.glob(f"{prefix}*")]

    def remove(self, name: str) -> None:
        """Harmless if it is not there."""
        if self._folder is not None:
            with suppress(OSError):
                (self._folder / name).unlink()

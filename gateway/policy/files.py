"""
Files that settings name: read with the policy, wrong as loudly as the rest of it.

An option declared with C{file=…} has the name of a file as its value, relative to the
configuration folder; in an array, one that ends with a slash is all files of a folder. What the
settings object holds is what the option's reader made of the content. The digests of all that
was read become part of the policy, so that two processes can make sure to have read the same
(L{gateway.kernel.fingerprint}).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, evolve, field

from gateway.policy.folder import LEFT_BEHIND
from gateway.policy.place import Place
from gateway.policy.problem import Problem

MOST_PROBLEMS = 10
"""
How many are told of one file. A list of another format than expected is wrong
in every line, and the first ones tell it.
"""


@define
class NamedFile:
    """A file that a setting names. Its reader tells it what is wrong, and goes on."""

    name: str
    key: str
    content: bytes = field(repr=False)
    problems: list[Problem] = field(factory=list, repr=False)
    _more: int = field(default=0, init=False)

    def complain(self, message: str, line: int = 0, column: int = 0) -> None:
        """It is wrong in this place; lines and columns count from 1."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(Place(self.name, line, column), self.key, message))
        else:
            self._more += 1

    def told(self) -> list[Problem]:
        """What is wrong with it; if that is very much, the beginning of it."""
        if not self._more:
            return self.problems
        last = self.problems[-1]
        message = f"{last.message} (and {self._more} more are wrong in this file)"
        return [*self.problems[:-1], evolve(last, message=message)]


class Unreadable(Exception):
    """
    The file can't be used.

    @ivar message: why, for whoever named it; empty if that has been said.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


Reader = Callable[[NamedFile], Any]


@define
class Files:
    """
    The files that one configuration names.

    A file that is named twice, for the same purpose, is read once: a large
    list in many places is one object.
    """

    folder: Path
    problems: list[Problem]
    digests: dict[str, str] = field(factory=dict, init=False)
    _made: dict[tuple[str, Reader], Any] = field(factory=dict, init=False)

    def read(self, name: str, key: str, reader: Reader) -> Any:
        """
        What C{reader} makes of a file.

        @raise Unreadable: nothing.
        """
        if (name, reader) not in self._made:
            self._made[name, reader] = _WRONG
            self._made[name, reader] = self._read(name, key, reader)
        made = self._made[name, reader]
        if made is _WRONG:
            raise Unreadable
        return made

    def within(self, name: str) -> list[str]:
        """
        The files of a folder, by their names, but for what editors leave.

        @raise Unreadable: there are none.
        """
        try:
            every = sorted((self.folder / name).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            raise Unreadable(f'there is no folder "{name}"') from None
        except OSError as error:
            raise Unreadable(f'"{name}" can\'t be read: {error.strerror}') from None
        names = [each.name for each in every if each.is_file()]
        found = [f"{name}{each}" for each in names if not LEFT_BEHIND.fullmatch(each)]
        if not found:
            raise Unreadable(f'"{name}" has no files')
        return found

    def _read(self, name: str, key: str, reader: Reader) -> Any:
        file = NamedFile(name, key, self._content(name))
        made = reader(file)
        self.problems += file.told()
        return _WRONG if file.problems else made

    def _content(self, name: str) -> bytes:
        """The content, and its digest kept. Devices and pipes would not end."""
        path = self.folder / name
        try:
            if path.exists() and not path.is_file():
                raise Unreadable(f'"{name}" is not a file')
            content = path.read_bytes()
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise Unreadable(f'"{name}" can\'t be read: {said}') from None
        digest = sha256(content).hexdigest()
        if self.digests.setdefault(name, digest) != digest:
            raise Unreadable(f'"{name}" changed while it was being read; load it again')
        return content


_WRONG = object()
"""Made of a file that is wrong."""

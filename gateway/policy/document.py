"""A file of the configuration: what it says, and where."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import Any

from attrs import field, frozen

from gateway.policy.files import Files
from gateway.policy.locate import BARE_KEY, Path, Positions, locate
from gateway.policy.place import Place
from gateway.policy.problem import PolicyError, Problem
from gateway.policy.zone import Network

MARK = "\ufeff"
"""What some editors put in front of UTF-8."""

POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
"""How C{tomllib} ends its messages."""


Networks = Callable[["Entry", Sequence[str]], tuple[Network, ...]]
"""
Makes networks of the names of zones, and of networks as they are written.

What is wrong with them is said to the entry.
"""


@frozen
class Entry:
    """
    One value of a file, and where it is written.

    Whoever finds a value wrong says so to its entry, and goes on to find the
    rest of what is wrong.
    """

    value: Any
    file: str
    positions: Positions = field(repr=False)
    problems: list[Problem] = field(repr=False)
    path: Path = ()
    files: Files | None = field(default=None, repr=False)
    """What reads the files that settings name."""
    networks: Networks | None = field(default=None, repr=False)
    """What looks up the zones that settings name."""

    @property
    def key(self) -> str:
        """What the operator calls it: C{rule.ports}."""
        return ".".join(_written(each) for each in self.path if isinstance(each, str))

    @property
    def place(self) -> Place:
        """Where it is written; if it is not, where its table is."""
        return Place(self.file, *self.positions.position(self.path))

    def at(self, *path: str | int) -> Entry:
        """What is below this. A value that is not there is C{None}."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (LookupError, TypeError):
                value = None
        path = (*self.path, *path)
        return Entry(
            value, self.file, self.positions, self.problems, path, self.files, self.networks
        )

    def written(self) -> dict[str, str]:
        """Where the keys below this are written, but those in arrays: the line of each."""
        return {
            ".".join(map(str, path)): Place(self.file, line).at_line
            for path, line in self.positions.below(self.path)
            if all(isinstance(step, str) for step in path)
        }

    def complain(self, message: str) -> None:
        """It is wrong."""
        self.problems.append(Problem(self.place, self.key, message))

    def warn(self, message: str) -> None:
        """It can be used, and is surely not what was meant."""
        self.problems.append(Problem(self.place, self.key, message, warning=True))


def read_document(
    folder: FilePath,
    file: str,
    problems: list[Problem],
    files: Files | None = None,
    networks: Networks | None = None,
) -> Entry:
    """
    Read a file.

    @param file: its path, relative to the configuration folder.
    @param problems: gets what its entries complain about.
    @param files: reads the files that its settings name.
    @param networks: looks up the zones that its settings name.
    @raise PolicyError: it can't be read, or is not TOML.
    """
    text = _text(folder, file)
    try:
        return Entry(tomllib.loads(text), file, locate(text), problems, (), files, networks)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError([_syntax_problem(file, text, str(error))]) from None
    except RecursionError:
        raise PolicyError(
            [Problem(Place(file), "", "arrays or tables are nested too deep")]
        ) from None
    except ValueError as error:  # such as an integer of more digits than Python reads
        raise PolicyError([Problem(Place(file), "", f"not TOML: {error}")]) from None


def _written(key: str) -> str:
    """A key as it is written in TOML, quoted if it must be."""
    return key if BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _text(folder: FilePath, file: str) -> str:
    """The text of a file, with line ends as LF: C{tomllib} finds none to make so once more."""
    path = folder / file
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would not end
            raise PolicyError([Problem(Place(file), "", "can't be read: it is not a file")])
        octets = path.read_bytes()
        text = octets.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _wrong(file, octets[: error.start].decode(), "not UTF-8") from None
    except OSError as error:
        raise PolicyError([Problem(Place(file), "", f"can't be read: {error.strerror}")]) from None
    before, lone, _ = text.partition("\r")
    if lone:
        raise _wrong(file, before, "not TOML: a carriage return without a line feed behind it")
    if text.startswith(MARK):
        raise _wrong(file, "", "not TOML: a byte order mark; save it as UTF-8 without one")
    return text


def _wrong(file: str, before: str, message: str) -> PolicyError:
    """Something is wrong right behind C{before}, so that nothing can be read."""
    return PolicyError([Problem(_end_of(file, before), "", message)])


def _syntax_problem(file: str, text: str, message: str) -> Problem:
    found = POSITION.search(message)
    place = Place(file)
    if found:
        place = Place(file, int(found[1]), int(found[2])) if found[1] else _end_of(file, text)
        message = message[: found.start()]
    return Problem(place, "", f"not TOML: {message[:1].lower()}{message[1:]}")


def _end_of(file: str, text: str) -> Place:
    """The place right after C{text}."""
    return Place(file, text.count("\n") + 1, len(text) - text.rfind("\n"))

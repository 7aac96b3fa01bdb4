"""Paths, as they are meant: absolute, without C{.} and C{..}."""

from __future__ import annotations

import re

from protocols.ftp.command import Command

# What /bin/ls would take for options, and many servers do.
_OPTIONS = re.compile(rb"\A(?:-[A-Za-z0-9]+(?: +|$))*")
_TIME = re.compile(rb"\A[0-9]{14} +")
_RECURSIVE = re.compile(rb"-[A-Za-z0-9]*R")
# What servers expand to names that are not in it: "{a,../../b}", "[.][.]", "*/.." and their like.
# A star in the last name stays in its folder.
_EXPANDING = re.compile(rb"[\[\]{}\\]|[*?].*/", re.DOTALL)
_LISTINGS = frozenset({"LIST", "NLST", "STAT"})
_TIMED = frozenset({"MDTM", "MFMT"})


def path_of(command: Command) -> bytes:
    """The path in the argument; empty for the working directory."""
    argument = command.argument or b""
    if command.verb in _LISTINGS:
        return _OPTIONS.sub(b"", argument)
    if command.verb in _TIMED:
        return _TIME.sub(b"", argument)
    return argument


def literal(command: Command) -> bool:
    """Whether a command means the path that it names, and nothing beside or below it."""
    if command.verb not in _LISTINGS:
        return True
    argument = command.argument or b""
    options = argument[: len(argument) - len(path_of(command))]
    return _RECURSIVE.search(options) is None and _EXPANDING.search(path_of(command)) is None


def sets_time(command: Command) -> bool:
    """Whether this MDTM is one that some servers understand as an order to set the time."""
    return command.verb == "MDTM" and _TIME.match(command.argument or b"") is not None


def absolute(path: bytes, directory: bytes | None) -> bytes | None:
    """
    Where C{path} leads.

    @param directory: the working directory, absolute; C{None} if nobody knows.
    @return: C{None} if nobody knows, as with a server's own C{~}.
    """
    if path.startswith(b"~"):
        return None
    if not path.startswith(b"/"):
        if directory is None:
            return None
        path = directory + b"/" + path
    names: list[bytes] = []
    for name in path.split(b"/"):
        if name == b"..":
            del names[-1:]
        elif name not in (b"", b"."):
            names.append(name)
    return b"/" + b"/".join(names)


def names(path: bytes) -> list[bytes]:
    """What a path is made of."""
    return [name for name in path.split(b"/") if name]


def quoted(text: bytes) -> bytes | None:
    """
    The path in the text of a 257; none if it has a quote in it. RFC 959, appendix II, doubles
    those, and Pure-FTPd does not: where such a path ends, no text can tell.
    """
    found = re.fullmatch(rb'"(/[^"]*)"(?: [^"]*)?', text)
    return None if found is None else found[1]

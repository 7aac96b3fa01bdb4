"""
The configuration folder: what lies in it and is not read, and who may write what is read.

A service file with a slip in its name is a service that is not there, and its connections go
where the next wider rule sends them. Nothing else would tell.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from gateway.policy.place import Place
from gateway.policy.problem import PolicyError, Problem

GATEWAY = "gateway.toml"
ZONES = "zones.toml"
SERVICES = "services"
TOML = ".toml"

LEFT_BEHIND = re.compile(
    r"\..*|.*~|#.*#|README.*|.*\.(bak|old|orig|rej|swp|tmp|disabled|off|md|txt|dpkg-\w+|ucf-\w+)"
)
"""Names of files that editors and package managers leave, or that were set aside on purpose."""


MEANT_AS_TOML = re.compile(r"\.[toml]{2,6}", re.IGNORECASE)
"""A suffix that is .toml, or a slip of the pen from it."""


def service_files(folder: Path) -> list[Path]:
    """
    The files of all services, sorted. Hidden files are none: editors leave them.

    @raise PolicyError: they can't be listed. That none are found must not pass for no services.
    """
    services = folder / SERVICES
    if not is_there(services):
        return []
    return [path for path in listed(services, SERVICES) if _names_service(path)]


def _names_service(path: Path) -> bool:
    return path.suffix == TOML and not path.name.startswith(".")


def is_there(path: Path) -> bool:
    """Whether there is something of that name, if only a link that leads nowhere."""
    try:
        return path.is_symlink() or path.exists()
    except OSError:
        return True  # whoever reads it is told what is wrong


def is_folder(path: Path) -> bool:
    """Whether this is a folder, whatever the operator has written for its name."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def listed(folder: Path, name: str) -> list[Path]:
    """
    What is in a folder, sorted.

    @param name: what the operator calls it.
    @raise PolicyError: it can't be listed.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise PolicyError([Problem(Place(name), "", f"can't be read: {error.strerror}")]) from None


def unread(folder: Path, named: Collection[str], plugins: Collection[Path]) -> Iterator[Problem]:
    """
    Warn of what looks like a part of the configuration and is none.

    @param named: the files that settings name, relative to C{folder}.
    @param plugins: the folders of C{plugin_path}.
    """
    for path in listed(folder, str(folder)):
        if path.name not in (GATEWAY, ZONES, SERVICES) and path not in plugins:
            yield from _stray(folder, path, named)
    if (folder / SERVICES).is_dir():
        for path in listed(folder / SERVICES, SERVICES):
            if path.suffix != TOML and path not in plugins:
                yield from _no_service(folder, path, named)


def _stray(folder: Path, path: Path, named: Collection[str]) -> Iterator[Problem]:
    """Beside gateway.toml: another file of TOML, or a folder with some."""
    if _set_aside(folder, path, named):
        return
    if path.is_dir() and any(path.glob(f"*{TOML}")):
        yield _warning(folder, path, f"is not read: service files are in {SERVICES}/")
    elif path.is_file() and MEANT_AS_TOML.fullmatch(path.suffix):
        yield _warning(
            folder,
            path,
            f"is not read: here only {GATEWAY} and {ZONES} are; services are in {SERVICES}/",
        )


def _no_service(folder: Path, path: Path, named: Collection[str]) -> Iterator[Problem]:
    """Among the service files: what does not end like one."""
    if _set_aside(folder, path, named):
        return
    if path.is_dir():
        if any(path.glob(f"*{TOML}")):
            yield _warning(folder, path, "is not read: service files are not looked for in folders")
    else:
        yield _warning(folder, path, f'is no service: its name would have to end in "{TOML}"')


def _set_aside(folder: Path, path: Path, named: Collection[str]) -> bool:
    """Whether it is not read on purpose, or read by somebody else: settings name it."""
    name = str(path.relative_to(folder))
    within = any(each == name or each.startswith(f"{name}/") for each in named)
    return within or bool(LEFT_BEHIND.fullmatch(path.name))


def writable(folder: Path, plugins: Iterable[Path]) -> Iterator[Problem]:
    """Warn of what others than its owner may write: they decide what passes."""
    files = (folder / GATEWAY, folder / ZONES, *service_files(folder))
    for path in (folder, folder / SERVICES, *files, *plugins):
        if path.exists() and _writable(path.stat().st_mode):
            yield _warning(
                folder, path, "anybody on this host can write it, and so decide what passes"
            )


def _writable(mode: int) -> bool:
    """By everybody; and it is no folder in which each may only change their own, as in /tmp."""
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _warning(folder: Path, path: Path, message: str) -> Problem:
    inside = path.is_relative_to(folder) and path != folder
    return Problem(Place(str(path.relative_to(folder) if inside else path)), "", message, True)

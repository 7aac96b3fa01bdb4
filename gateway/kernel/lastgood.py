"""
The last good rules and configuration, kept on disk.

For the guard, which loads the rules with no gateway there; for a keeper that
takes over from a former one; and for a start with a broken policy, if the
operator has said so (C{when_broken}). In the state directory::

    last -> kept-XXXX            changes in one step, when the rules are in force
    kept-XXXX/nft, ip, …         for the guard: gateway.kernel.guard
    kept-XXXX/configuration/     a copy of the configuration folder

Of the configuration the TOML files are kept, and of what they name (plugins, lists) that
which lies in the folder. Nobody but root may write here, as with the configuration itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from gateway.kernel import guard
from gateway.kernel.errors import KernelError
from gateway.kernel.filter.ruleset import make_ruleset
from gateway.kernel.fingerprint import toml_files
from gateway.policy.policy import Policy

_FOLDER, _FILE = 0o750, 0o640
_PREFIX = "kept-"


class LastGood:
    """
    What is kept in one state directory.

    @param state: the directory; it is made when there is something to keep.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._last = state / "last"

    @property
    def configuration(self) -> Path:
        """The copy of the last good configuration folder."""
        return self._last / "configuration"

    @contextmanager
    def replaced(self, directory: Path, policy: Policy) -> Iterator[None]:
        """
        Keep C{policy}, which was loaded from C{directory}, from the end of the C{with} statement
        on: if it ends with an exception, what was kept before is kept.

        @raise KernelError: the disk is full, or can't be written.
        """
        if directory == self.configuration:
            yield
            return
        with _explained(self._state):
            new = self._prepared(directory, policy)
        try:
            yield
            with _explained(self._state):
                (self._state / "new").rename(self._last)
                _sync(self._state)
        except BaseException:
            _remove([new])
            raise
        _remove(path for path in self._state.glob(f"{_PREFIX}*") if path != new)

    def _prepared(self, directory: Path, policy: Policy) -> Path:
        """All of it on the disk, and the link, which is only to be renamed."""
        self._state.mkdir(_FOLDER, parents=True, exist_ok=True)
        new = Path(mkdtemp(prefix=_PREFIX, dir=self._state))
        try:
            new.chmod(_FOLDER)
            for name, text in guard.files(make_ruleset(policy)).items():
                _write(new / name, text.encode())
            _copy_configuration(directory, new / "configuration", policy)
            link = self._state / "new"
            link.unlink(missing_ok=True)
            link.symlink_to(new.name)
        except BaseException:
            _remove([new])
            raise
        return new


def _copy_configuration(directory: Path, copy: Path, policy: Policy) -> None:
    """What the policy was loaded from, as far as it lies in the folder."""
    folders = [Path(folder) for folder in policy.plugin_path]
    plugins = (path for folder in folders for path in folder.glob("*.py"))
    named = (directory / name for name in policy.files)
    for path in sorted({*toml_files(directory), *plugins, *named}):
        if _is_within(path, directory):
            _write(copy / path.relative_to(directory), path.read_bytes())
    for folder in folders:
        if _is_within(folder, directory):
            (copy / folder.relative_to(directory)).mkdir(_FOLDER, parents=True, exist_ok=True)


def _is_within(path: Path, directory: Path) -> bool:
    return path.is_relative_to(directory) and ".." not in path.parts


def _write(path: Path, content: bytes) -> None:
    """A file that is on the disk when this returns."""
    path.parent.mkdir(_FOLDER, parents=True, exist_ok=True)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), _FILE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """The names in C{folder} are on the disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _explained(state: Path) -> Iterator[None]:
    """What the disk refuses, in the operator's words."""
    try:
        yield
    except OSError as error:
        raise KernelError(
            f"can't keep the last good rules in {state}, for the guard at boot: {error.strerror}; "
            "make room, or name another state directory"
        ) from error

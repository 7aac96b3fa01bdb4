"""Aside: a mail that is kept in a folder of the operator's, in place of being delivered."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from zope.interface import implementer

from gateway.tools import IAside, SpoolFull

MAIL, ABOUT = ".eml", ".json"

LEAST = 65536
"""
Bytes that the smallest file counts for. All are counted for each mail, by the thread that everybody
waits for: strangers must not be able to have many there.
"""


@implementer(IAside)
class Aside:
    """
    One of them. Until it is complete, its file has another ending.

    @raise SpoolFull: the folder can't be written to, or has as much as it may have.
    """

    def __init__(self, folder: str, name: str, most: int) -> None:
        self._folder = Path(folder)
        self._most = most
        self._left = most - held(folder)
        try:
            self._file: Any = NamedTemporaryFile(  # noqa: SIM115
                dir=folder, prefix=f"{name}-", suffix=".part", delete=False, buffering=0
            )
        except OSError as error:
            raise SpoolFull(f"{folder}: {error.strerror}") from None

    def put(self, data: bytes) -> None:
        """See L{IAside.put}."""
        self._left -= len(data)
        if self._left < 0:
            raise self._full()
        try:
            self._file.write(data)
        except OSError as error:
            raise SpoolFull(f"{self._folder}: {error.strerror}") from None

    def keep(self, about: Mapping[str, Any]) -> str:
        """See L{IAside.keep}."""
        part = Path(self._file.name)
        try:
            self._tell(part.with_suffix(ABOUT), json.dumps(about, indent=1) + "\n")
            if held(str(self._folder)) > self._most:  # others have come meanwhile
                raise self._full()
            os.fsync(self._file.fileno())
            part.rename(part.with_suffix(MAIL))
        except OSError as error:
            raise SpoolFull(f"{self._folder}: {error.strerror}") from None
        self._file.close()
        return part.stem

    @staticmethod
    def _tell(path: Path, text: str) -> None:
        """Write that, for nobody else to read: who writes to whom is as secret as what."""
        path.touch(0o600, exist_ok=False)
        path.write_text(text)

    def _full(self) -> SpoolFull:
        return SpoolFull(f"{self._folder}: as much is set aside as may be")

    def close(self) -> None:
        """See L{IAside.close}."""
        if not self._file.closed:
            self._file.close()
            for suffix in (".part", ABOUT):
                Path(self._file.name).with_suffix(suffix).unlink(missing_ok=True)


def held(folder: str) -> int:
    """
    Bytes of all files there.

    @raise SpoolFull: nobody can say.
    """
    total = 0
    try:
        with os.scandir(folder) as every:
            for each in every:
                with suppress(FileNotFoundError):  # it has another name now, or none
                    total += max(LEAST, each.stat(follow_symlinks=False).st_size)
    except OSError as error:
        raise SpoolFull(f"{folder}: {error.strerror}") from None
    return total

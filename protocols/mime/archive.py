"""
Archive: what is in a ZIP file, found while it passes.

ZIP files are read from their end, which comes last here. So every header that
looks like one of a member counts (PKWARE's APPNOTE, sections 4.3.7 and 4.3.12): also
those of an archive that is stored in another, or at the end of a program. What
is compressed twice is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

NAME = 1024
"""Bytes of a member's name. Windows takes 260 characters."""

_MEMBER = re.compile(rb"PK(?:\x03\x04|\x01\x02)")
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # section 4.4.4, bits 0, 6 and 13
_VERSIONS = b"\x64"  # the present one is 63: most of what only looks like a header has more


@frozen
class Member:
    """A file in an archive."""

    name: str
    encrypted: bool


class Archive:
    """Looks through a body. What a header spans two pieces by, waits."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Member]:
        """
        The members whose headers are complete now. One may come twice: what
        only looks like a header must not hide the true one behind it.
        """
        data = self._rest + data
        rest = max(0, len(data) - 3)
        for found in _MEMBER.finditer(data):
            header = _Header(data, found.start())
            if header.plausible and header.complete:
                yield header.member()
            elif header.plausible:
                rest = min(rest, found.start())
        self._rest = data[rest:]


class _Header:
    """What may be a header, at this place."""

    def __init__(self, data: bytes, at: int) -> None:
        local = data[at + 2] == 3
        self._data = data
        self._versions = data[at + 4 : at + 6] if local else data[at + 6 : at + 8]
        self._flags = int.from_bytes(
            data[at + 6 : at + 8] if local else data[at + 8 : at + 10], "little"
        )
        self._name = at + (30 if local else 46)
        length = data[at + 26 : at + 28] if local else data[at + 28 : at + 30]
        self._end = self._name + min(int.from_bytes(length, "little"), NAME)
        self.complete = len(data) >= self._end

    @property
    def plausible(self) -> bool:
        """Whether a program would take it for one. What has not come yet may be."""
        return self._versions[1:] in (b"", b"\0") and self._versions[:1] < _VERSIONS

    def member(self) -> Member:
        """What it says."""
        name = self._data[self._name : self._end]
        return Member(_decoded(name), bool(self._flags & _ENCRYPTED))


def _decoded(name: bytes) -> str:
    """Appendix D: UTF-8, or what DOS had. A bit says which, but programs guess too."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")

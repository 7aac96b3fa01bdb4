"""Within: a message that is the content of a file, or is encoded as a whole."""

from __future__ import annotations

import re
from typing import Protocol

from protocols.mime.objection import ambiguous

LINE = 998
"""Bytes of a line of what is to pass (RFC 5322, section 2.1.1)."""

MOST = 65536
"""Bytes of a line of what is only looked at."""

_LONE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class Lines(Protocol):
    """What is told of lines, and gives back those that may pass."""

    def feed(self, lines: bytes) -> bytes:
        """Some whole lines."""

    def end(self) -> bytes:
        """That was all."""


class Within:
    """
    Makes lines of bytes that are cut anywhere, whatever ends them.

    @param most: bytes of a line.
    """

    def __init__(self, lines: Lines, most: int) -> None:
        self._lines = lines
        self._most = most
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """
        Some bytes.

        @raise Objection: a line is so long that programs cut it.
        """
        data = self._rest + data
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        self._rest = data[cut:]
        self._check(self._rest.removesuffix(b"\r"))
        return self._lines.feed(self._whole(data[:cut])) if cut else b""

    def end(self) -> bytes:
        """That was all."""
        rest, self._rest = self._rest.removesuffix(b"\r"), b""
        out = self._lines.feed(rest + b"\r\n") if rest else b""
        return out + self._lines.end()

    def _whole(self, data: bytes) -> bytes:
        lines = _LONE.sub(b"\r\n", data).replace(b"\0", b"")
        for line in lines.split(b"\r\n"):
            self._check(line)
        return lines

    def _check(self, line: bytes) -> None:
        if len(line) > self._most:
            raise ambiguous(f"a message within it has a line of more than {self._most} bytes")

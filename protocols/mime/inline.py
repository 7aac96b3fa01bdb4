"""
Inline: files within a text, as they were sent before there was MIME, and as
many programs still show them: uuencode, its base64 variant (POSIX, uuencode), yEnc.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Iterator

from protocols.mime.encoding import uu_line

LINE = 1000
"""Bytes of a line that may begin a file."""

_BEGIN = re.compile(
    rb"(?:\A|(?<=\n))(?:begin(?P<base64>-base64)? +[0-7]{3,4} +(?P<name>[^\r\n]+)"
    rb"|=ybegin [^\r\n]*?name=(?P<yenc>[^\r\n]+))\r?\n(?P<line>[^\r\n]*)\r?\n"
)


class Inline:
    """Looks through a text. Its last line, and what follows that, waits for more."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The names of the files that began, and the first bytes of each."""
        data = self._rest + data
        end = 0
        for found in _BEGIN.finditer(data) if b"begin" in data else ():
            end = found.start("line")
            name = (found["name"] or found["yenc"]).decode("utf-8", "replace").strip()
            yield name, self._beginning(found)
        last = data.rfind(b"\n", 0, max(data.rfind(b"\n"), 0)) + 1
        self._rest = data[max(end, last, len(data) - 2 * LINE) :]

    def _beginning(self, found: re.Match[bytes]) -> bytes:
        if found["yenc"]:
            return bytes((byte - 42) % 256 for byte in found["line"])
        if not found["base64"]:
            return uu_line(found["line"])
        try:
            return a2b_base64(found["line"])
        except Error:
            return b""

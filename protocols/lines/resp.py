"""
RESP: how Redis, and what speaks like it, puts commands and replies (version 2 of its protocol).

A command is an array of strings, each with its length in front; a reply is one value, which may be
an array of others. Version 3 has to be asked for (HELLO 3), and has kinds of values that are none
here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.inspector import Reader
from gateway.interfaces import Denied

END = b"\r\n"

HEAD_BYTES = 32
"""The longest line that says how many strings or bytes follow."""

BULK = re.compile(r"\$(?P<bytes>0|[1-9][0-9]{0,17})")
"""Begins a string in a reply; so many bytes and a line end follow."""

_COUNT = re.compile(rb"\*([1-9][0-9]{0,8})")
_LENGTH = re.compile(rb"\$(0|[1-9][0-9]{0,8})")
_SIMPLE = re.compile(r"[+-][^\r\n]*|:[+-]?[0-9]{1,20}|\$-1|\*-1")
_ARRAY = re.compile(r"\*(0|[1-9][0-9]{0,8})")
_PLAIN = re.compile(rb"[!#-\[\]-~]+")


async def command(read: Reader, most: int) -> tuple[bytes, ...]:
    """
    Read a command: its strings.

    @param most: bytes of all of them, each counted with the five of its own that it takes at least.
    @raise Denied: it is none, or too long.
    """
    found = _COUNT.fullmatch(await read.line(HEAD_BYTES))
    if found is None:
        raise Denied("the client sent no array of strings")
    strings: list[bytes] = []
    for _ in range(int(found[1])):
        length = _LENGTH.fullmatch(await read.line(HEAD_BYTES))
        if length is None:
            raise Denied("the client sent no length of a string")
        size = int(length[1]) + len(END)
        most -= size + len(b"$0\r")
        if most < 0:
            raise Denied("the client sent a command that is too long", by="line_bytes")
        data = await read.exactly(size, size)
        if not data.endswith(END):
            raise Denied("the client sent a string that is longer than it said")
        strings.append(data[: -len(END)])
    return tuple(strings)


def framed(strings: Sequence[bytes]) -> bytes:
    """A command as it is sent."""
    each = (b"$%d\r\n%b\r\n" % (len(one), one) for one in strings)
    return b"*%d\r\n%b" % (len(strings), b"".join(each))


def line_of(strings: Sequence[bytes]) -> str:
    """
    A command as one line, which patterns can be about: its strings with blanks between. One that
    is empty, or has a blank, a quote, a backslash or anything but ASCII's visible characters in
    it, is in quotes, with C{\\x} and two digits for each of those: no two commands are one line.
    """
    return " ".join(map(_word, strings))


def _word(string: bytes) -> str:
    if _PLAIN.fullmatch(string):
        return string.decode("ascii")
    shown = (chr(each) if _PLAIN.match(bytes([each])) else f"\\x{each:02x}" for each in string)
    return f'"{"".join(shown)}"'


class Value:
    """
    What is still to come of a reply that is one value.

    @ivar last: its first line.
    @ivar over: whether all of it has come.
    """

    asks_for_upload = False

    def __init__(self) -> None:
        self.last = ""
        self._left = 1

    @property
    def over(self) -> bool:
        """Whether all of it has come, but for the bytes that its last line has announced."""
        return not self._left

    @property
    def begun(self) -> bool:
        """Whether any of it has come."""
        return bool(self.last)

    def add(self, line: bytes) -> None:
        """
        The next line has come.

        @raise Denied: it begins no value.
        """
        text = line.decode("latin-1")
        array = _ARRAY.fullmatch(text)
        if array is None and not _SIMPLE.fullmatch(text) and not BULK.fullmatch(text):
            raise Denied(f"the server says {text[:100]!r}, which is no value")
        self.last = self.last or text
        self._left += int(array[1]) - 1 if array else -1

"""
Replies: what the daemon says of a body, and of itself.

Three things that its manual does not say, and it does (1.4.6):
  - a time limit's answer is C{COMMAND READ TIMED OUT} with a line feed, also where replies end
    with a NUL, and without a number in a session: so both ends are ends;
  - a body that is too long gets C{INSTREAM size limit exceeded. ERROR}, without C{stream: }, and
    then the connection is closed;
  - in an error's text there may be anything, C{: } included.
"""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen

from protocols.scanners.fault import ScannerFault

LONGEST = 4096
"""Bytes. Names of signatures are short, and VERSION is a line."""

_END = re.compile(rb"[\0\n]")
_NUMBERED = re.compile(r"([0-9]{1,9}): (.*)", re.DOTALL)
_TOO_LONG = "INSTREAM size limit exceeded"
_TIMED_OUT = "COMMAND READ TIMED OUT"
_BODY = "stream: "


class Said(Enum):
    """What a reply says of a body."""

    CLEAN = "clean"
    FOUND = "found"
    TOO_LONG = "too long"
    """Longer than the daemon's StreamMaxLength."""

    ERROR = "error"
    OTHER = "other"
    """Nothing of a body: the answer to another command."""

    __hash__ = object.__hash__


@frozen
class Reply:
    """
    One reply.

    @ivar number: of the command in its session; 0 if there is none.
    @ivar text: what was found, what went wrong, or all of it if it is of another kind.
    """

    said: Said
    text: str
    number: int = 0


def parse(line: bytes) -> Reply:
    """
    One reply, without its end.

    @raise ScannerFault: it is none.
    """
    text = line.decode("utf-8", "backslashreplace")
    if text.startswith(_TIMED_OUT):
        return Reply(Said.ERROR, "the daemon waited too long for the rest of a body")
    number, found = 0, _NUMBERED.fullmatch(text)
    if found is not None:
        number, text = int(found[1]), found[2]
    if not text.isprintable():
        raise ScannerFault(f"clamd answered {line!r}")
    return Reply(*_judged(text), number)


def _judged(text: str) -> tuple[Said, str]:
    if text.startswith(_TOO_LONG):
        return Said.TOO_LONG, "longer than the daemon's StreamMaxLength"
    if text.endswith(" ERROR"):
        return Said.ERROR, text.removeprefix(_BODY).removesuffix(" ERROR").rstrip(".")
    if text == _BODY + "OK":
        return Said.CLEAN, ""
    if text.startswith(_BODY) and text.endswith(" FOUND"):
        name = text.removeprefix(_BODY).removesuffix(" FOUND")
        if name:
            return Said.FOUND, name
    if text.startswith(_BODY) or not text:
        raise ScannerFault(f"clamd answered {text!r}")
    return Said.OTHER, text


class Replies:
    """The daemon's bytes, cut into replies."""

    def __init__(self) -> None:
        self._begun = b""

    def feed(self, data: bytes) -> list[Reply]:
        """
        More of what it says; what is complete is given back.

        @raise ScannerFault: it is no reply, or has no end.
        """
        *lines, self._begun = _END.split(self._begun + data)
        if max(map(len, (self._begun, *lines))) > LONGEST:
            raise ScannerFault(f"clamd sent more than {LONGEST} bytes without an end")
        return [parse(line) for line in lines]

    def end(self) -> None:
        """
        It closed.

        @raise ScannerFault: within a reply.
        """
        if self._begun:
            raise ScannerFault(f"clamd closed within a reply: {self._begun!r}")

"""What is wrong with lines that are no headers: said once something is, so it may take its time."""

from __future__ import annotations

import re

from protocols.http.grammar import tchar
from protocols.http.malformed import Malformed
from protocols.http.message import FRAMING

# In the order in which they are looked for; each costs one pass at most.
_ANYWHERE = (
    (re.compile(r"\0"), "a NUL"),
    (re.compile(r"\r"), "a bare CR"),
    (re.compile(r"\n"), "a bare LF"),
    (re.compile(r"^[ \t]"), "a folded line (obs-fold; RFC 9112, section 5.2)"),
)
_WRONG_IN_NAME = re.compile(rf"(?!{tchar}).", re.DOTALL)
_WRONG_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def fault_in(lines: str, offset: int, lenient: bool = False) -> Malformed:
    """
    What is wrong.

    @param lines: field lines, each with its CRLF, of which at least one is none.
    @param offset: where in the message they begin.
    @param lenient: white space before a colon is not.
    """
    for line in lines.split("\r\n"):
        found = _fault(line, lenient) if line else None
        if found is not None:
            what, at = found
            return Malformed(what, offset + at)
        offset += len(line) + 2
    return Malformed("lines that are no headers", offset)


def _fault(line: str, lenient: bool) -> tuple[str, int] | None:
    for pattern, what in _ANYWHERE:
        found = pattern.search(line)
        if found is not None:
            return what, found.start()
    name, colon, value = line.partition(":")
    if not colon:
        return "a header without a colon", 0
    if not name:
        return "a header without a name", 0
    return _fault_in_name(name, lenient) or _fault_in_value(value, len(name) + 1)


def _fault_in_name(name: str, lenient: bool) -> tuple[str, int] | None:
    bare = name.rstrip(" \t")
    if bare != name and not (lenient and bare.lower() not in FRAMING):
        return "white space before the colon of a header", len(bare)
    name = bare
    found = _WRONG_IN_NAME.search(name)
    return None if found is None else ("a wrong character in a header's name", found.start())


def _fault_in_value(value: str, offset: int) -> tuple[str, int] | None:
    found = _WRONG_IN_VALUE.search(value)
    return None if found is None else ("a control character", offset + found.start())

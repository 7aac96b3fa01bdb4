"""
Answers: what a program says of a body in a line of JSON.

A program reads what attackers wrote. What it says is bounded, and has the types that it must have;
its texts lose what could be more than text where they are written.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from protocols.scanners.fault import ScannerFault
from protocols.scanners.report import MOST_FOUND

LONGEST = 65536
"""Bytes of the line."""

LETTERS = 200
"""Of a name, or of any other text."""

_KINDS: dict[str, type] = {
    "found": list,
    "refused": str,
    "words": str,
    "error": str,
    "scanner": str,
    "changed": bool,
    "bytes": int,
}


@frozen
class Answer:
    """
    What it says.

    @ivar found: names of what is in the body.
    @ivar refused: why it is not to pass, though nothing has a name.
    @ivar words: for the receiver.
    @ivar error: why it can't say.
    @ivar scanner: what it calls itself.
    @ivar changed: the body that follows is to pass in place of the one that came.
    @ivar bytes: how long that is; C{None}: it does not say.
    """

    found: tuple[str, ...] = ()
    refused: str = ""
    words: str = ""
    error: str = ""
    scanner: str = ""
    changed: bool = False
    bytes: int | None = None


def read_answer(line: bytes) -> Answer:
    """
    @param line: without its end.
    @raise ScannerFault: it is none.
    """
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise ScannerFault(f"the program says {line[:100]!r}, which is no JSON") from None
    if not isinstance(said, dict):
        raise ScannerFault("the program's JSON is no object")
    for key, value in said.items():
        kind = _KINDS.get(key)
        if kind is None or type(value) is not kind:
            raise ScannerFault(f"the program says {key[:LETTERS]!r}: {value!r:.100}")
    size = said.get("bytes")
    if size is not None and size < 0:
        raise ScannerFault(f"the program says that a body has {size} bytes")
    return Answer(
        found=names(said.get("found", [])),
        **{key: _text(said.get(key, "")) for key in ("refused", "words", "error", "scanner")},
        changed=said.get("changed", False) or size is not None,
        bytes=size,
    )


def names(said: list[Any]) -> tuple[str, ...]:
    """
    Names of what was found.

    @raise ScannerFault: one is none.
    """
    if not all(isinstance(each, str) for each in said):
        raise ScannerFault("the program found something whose name is no text")
    return tuple(filter(None, map(_text, said)))[:MOST_FOUND]


def _text(said: str) -> str:
    """On one line."""
    line = " ".join(said[: 2 * LETTERS].split())[:LETTERS]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in line)

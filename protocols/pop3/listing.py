"""Listings: lines of an answer, to one with a dot (RFC 1939, section 5, and others)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gateway.interfaces import Denied
from protocols.pop3.reply import plain
from protocols.pop3.rights import Rights

Line = Callable[[Rights, bytes], "bytes | None"]
"""What the client gets of a line: all of it, less, or nothing."""

_SIZE = re.compile(rb"([0-9]{1,10}) +([0-9]{1,19})(?: .*)?", re.DOTALL)
_IDENTIFIER = re.compile(rb"([0-9]{1,10}) +([!-~]{1,255}) *")


def _size(_: Rights, line: bytes) -> bytes:
    found = _SIZE.fullmatch(line)
    if found is None:
        raise Denied("the server sent what is no line of a list of messages")
    return found[1] + b" " + found[2]


def _identifier(_: Rights, line: bytes) -> bytes:
    found = _IDENTIFIER.fullmatch(line)
    if found is None:
        raise Denied("the server sent what is no line of a list of identifiers")
    return found[1] + b" " + found[2]


def _language(_: Rights, line: bytes) -> bytes:
    return plain(line)


LINES: Mapping[str, Line] = {
    "CAPA": Rights.capability,
    "AUTH": Rights.mechanism,
    "LIST": _size,
    "UIDL": _identifier,
    "LANG": _language,
}
"""By command."""

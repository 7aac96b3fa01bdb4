"""
Fields: header lines and trailers, understood (RFC 9112, section 5; RFC 9110, section 5).
"""

from __future__ import annotations

import re
from functools import lru_cache

from protocols.http.fault import fault_in
from protocols.http.grammar import FIELD_LINE, PADDED_FIELD_LINE
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed
from protocols.http.message import FRAMING, Field, Headers
from protocols.http.status import REQUEST_HEADER_FIELDS_TOO_LARGE

SHORT = 128
"""Characters: header lines that are no longer are remembered, as most come again and again."""

SECRET = re.compile("auth|cookie|token|key|secret|passw|session|signature", re.IGNORECASE)
"""Names of headers that are not remembered: they outlive the session that they were sent in."""

REMEMBERED = 4096
"""So many lines, then the memory begins anew: no more than some 2 MiB, whoever sends what."""

_known: dict[str, Field] = {}


def parse(lines: str, limits: Limits, offset: int, lenient: bool = False) -> Headers:
    """
    Understand header lines, each with its CRLF.

    @param lenient: white space before a colon is left out, as RFC 9112, section 5.1, wants it of
        responses; but not where a message's end depends on it.
    @raise Malformed: they are none, too many or too long.
    """
    each = lines.split("\r\n")
    each.pop()  # behind the last CRLF
    if len(each) > limits.headers:
        reason = f"more than {limits.headers} headers"
        place = offset + sum(len(line) + 2 for line in each[: limits.headers])
        raise Malformed(reason, place, REQUEST_HEADER_FIELDS_TOO_LARGE, by="limits.headers")
    try:
        fields = [_known.get(line) or _read_field(line) for line in each]
    except ValueError:
        found = _padded(each) if lenient else None
        if found is None:
            raise fault_in(lines, offset, lenient) from None
        fields = found
    longest = limits.header_line_bytes
    if len(lines) > longest and max(map(len, each)) > longest:
        place = offset + lines.index(next(line for line in each if len(line) > longest))
        reason, status = f"a header of more than {longest} bytes", REQUEST_HEADER_FIELDS_TOO_LARGE
        raise Malformed(reason, place, status, by="limits.header_line_bytes")
    return Headers(fields, lines, offset)


def _padded(lines: list[str]) -> list[Field] | None:
    """Headers that may have white space before their colons; L{None} if something else is wrong."""
    fields = []
    for line in lines:
        found = FIELD_LINE.fullmatch(line) or PADDED_FIELD_LINE.fullmatch(line)
        if found is None or (found[1].lower() in FRAMING and found.re is PADDED_FIELD_LINE):
            return None
        fields.append((found[1], found[2].strip(" \t")))
    return fields


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return SECRET.search(name) is not None


def _read_field(line: str) -> Field:
    """
    A header, by its line without CRLF. It is remembered, unless it may be what somebody proves
    with who they are.

    @raise ValueError: it is none.
    """
    found = FIELD_LINE.fullmatch(line)
    if found is None:
        raise ValueError
    field = found[1], found[2].strip(" \t")
    if len(line) <= SHORT and not _is_secret(field[0]):
        if len(_known) >= REMEMBERED:
            _known.clear()
        _known[line] = field
    return field

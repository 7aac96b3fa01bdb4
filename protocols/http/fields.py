"""
Fields: header lines and trailers, understood (RFC 9112, section 5; RFC 9110, section 5).
"""

from __future__ import annotations

from protocols.http.fault import fault_in
from protocols.http.grammar import FIELD_LINE, FIELD_LINES, PADDED_FIELD_LINE
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed
from protocols.http.message import FRAMING, Field, Headers
from protocols.http.status import REQUEST_HEADER_FIELDS_TOO_LARGE


def parse(lines: str, limits: Limits, offset: int, lenient: bool = False) -> Headers:
    """
    Understand header lines, each with its CRLF.

    @param lenient: white space before a colon is left out, as RFC 9112, section 5.1, wants it of
        responses; but not where a message's end depends on it.
    @raise Malformed: they are none, too many or too long.
    """
    count = lines.count("\r\n")
    if count > limits.headers:
        raise _too_many(lines, limits.headers, offset)
    fields = FIELD_LINES.findall(f"\r\n{lines}")
    if len(fields) != count:
        found = _padded(lines) if lenient else None
        if found is None:
            raise fault_in(lines, offset, lenient)
        fields = found
    elif " \r\n" in lines or "\t\r\n" in lines:
        fields = [(name, value.rstrip(" \t")) for name, value in fields]
    if len(lines) > limits.header_line_bytes:
        _check_longest(lines, limits.header_line_bytes, offset)
    return Headers(fields, lines, offset)


def _too_many(lines: str, most: int, offset: int) -> Malformed:
    place = offset + sum(len(line) + 2 for line in lines.split("\r\n")[:most])
    reason, status = f"more than {most} headers", REQUEST_HEADER_FIELDS_TOO_LARGE
    return Malformed(reason, place, status, by="limits.headers")


def _check_longest(lines: str, longest: int, offset: int) -> None:
    for line in lines.split("\r\n"):
        if len(line) > longest:
            what, status = f"a header of more than {longest} bytes", REQUEST_HEADER_FIELDS_TOO_LARGE
            raise Malformed(what, offset, status, by="limits.header_line_bytes")
        offset += len(line) + 2


def _padded(lines: str) -> list[Field] | None:
    """Headers that may have white space before their colons; C{None} if something else is wrong."""
    fields = []
    for line in lines.removesuffix("\r\n").split("\r\n"):
        found = FIELD_LINE.fullmatch(line) or PADDED_FIELD_LINE.fullmatch(line)
        if found is None or (found[1].lower() in FRAMING and found.re is PADDED_FIELD_LINE):
            return None
        fields.append((found[1], found[2].strip(" \t")))
    return fields

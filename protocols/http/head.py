"""
Heads of messages: read, and understood in one pass.

The first line is read for itself, so that whoever does not speak HTTP is
answered at once; the headers are read as a whole.
"""

from __future__ import annotations

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.http.fault import fault_in
from protocols.http.grammar import FIELD_LINES, REQUEST_LINE, STATUS_LINE
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed
from protocols.http.message import Headers, Request, Response
from protocols.http.target import read_host, read_target

VERSIONS = {("1", "0"): "1.0", ("1", "1"): "1.1"}
TOO_LONG_LINE = 414
TOO_LARGE = 431
UNKNOWN_VERSION = 505


async def read_request(read: Reader, limits: Limits) -> tuple[Request, int]:
    """
    Read the head of a request.

    @return: and how many bytes it was.
    @raise Malformed: it is none; the reason, the offset, and the status to answer with.
    """
    line = await read_line(read, limits, TOO_LONG_LINE)
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        raise _no_first_line(line, "request line")
    method, target, *digits = found.groups()
    try:
        version = _version(digits)
        lines = await read_lines(read, limits, len(line) + 2)
        headers = parse(lines, limits, len(line) + 2)
        return _request(method, target, version, headers), len(line) + len(lines) + 4
    except Malformed as malformed:
        malformed.line = line
        raise


def _request(method: str, text: str, version: str, headers: Headers) -> Request:
    target = read_target(method, text, len(method) + 1)
    host, port = read_host(headers, version, target)
    return Request(method, target, version, headers, host, port)


async def read_response(read: Reader, limits: Limits, request: Request) -> tuple[Response, int]:
    """
    Read the head of a response.

    @return: and how many bytes it was.
    @raise Malformed: it is none; the reason and the offset.
    """
    line = await read_line(read, limits)
    found = STATUS_LINE.fullmatch(line)
    if found is None:
        raise _no_first_line(line, "status line")
    *digits, status, reason = found.groups("")
    version = _version(digits)
    lines = await read_lines(read, limits, len(line) + 2)
    headers = parse(lines, limits, len(line) + 2)
    response = Response(version, int(status), reason, headers, request)
    return response, len(line) + len(lines) + 4


async def read_line(read: Reader, limits: Limits, status: int = 400) -> str:
    """
    The first line, without CRLF.

    @param status: to answer with if it is too long.
    """
    limit = limits.request_line_bytes
    try:
        line = await read.until(b"\n", limit + 1)
    except Denied as denied:
        raise _cut_off(read, denied, limit, status) from None
    if line[-1:] != b"\r":
        raise Malformed("a bare LF", len(line))
    return line[:-1].decode("latin-1")


async def read_lines(read: Reader, limits: Limits, offset: int) -> str:
    """
    All lines up to the empty one, which is read too; each with its CRLF.

    @param offset: where in the message they begin.
    """
    try:
        begin = await read.exactly(2, 2)
        if begin == b"\r\n":
            return ""
        if b"\n" in begin or b"\r" in begin:
            begin += await read.exactly(begin[1:] == b"\r", 1)
            raise fault_in(begin.decode("latin-1"), offset)
        rest = await read.until(b"\r\n\r\n", limits.head_bytes)
    except Malformed:
        raise
    except Denied as denied:
        raise _cut_off(read, denied, limits.head_bytes, TOO_LARGE) from None
    return f"{begin.decode('latin-1')}{rest.decode('latin-1')}\r\n"


def parse(lines: str, limits: Limits, offset: int) -> Headers:
    """
    Understand header lines, each with its CRLF.

    @raise Malformed: they are none, too many or too long.
    """
    if FIELD_LINES.fullmatch(lines) is None:
        raise fault_in(lines, offset)
    fields = []
    longest = limits.header_line_bytes
    for line in lines.split("\r\n"):
        if len(line) > longest:
            raise Malformed(f"a header of more than {longest} bytes", offset, TOO_LARGE)
        name, _, value = line.partition(":")
        fields.append((name, value.strip(" \t")))
    fields.pop()  # behind the last CRLF
    if len(fields) > limits.headers:
        raise Malformed(f"{len(fields)} headers; {limits.headers} are allowed", None, TOO_LARGE)
    return Headers(fields)


def _version(digits: list[str]) -> str:
    version = VERSIONS.get((digits[0], digits[1]))
    if version is None:
        what = f"HTTP/{digits[0]}.{digits[1]}, where 1.0 and 1.1 are known"
        raise Malformed(what, None, UNKNOWN_VERSION)
    return version


def _no_first_line(line: str, what: str) -> Malformed:
    at = next((at for at, character in enumerate(line) if not " " <= character <= "~"), 0)
    return Malformed(f"not a {what}: {line[:200]!r}", at)


def _cut_off(read: Reader, denied: Denied, limit: int, status: int) -> Malformed:
    """What the reader refused: too long, or the end in the middle."""
    too_long = read.unread > limit
    return Malformed(denied.reason, limit if too_long else None, status if too_long else 400)

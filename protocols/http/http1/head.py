"""
Heads of messages: read, and understood.

A head that is there as a whole, which is what nearly all are, is read in one piece. Else, and
to say what is wrong with it if something is, the first line is read for itself, so that whoever
does not speak HTTP is answered at once; then the headers as a whole.
"""

from __future__ import annotations

import re

from gateway.inspector import CutOff, LoneEnd, Reader
from gateway.interfaces import Denied
from protocols.http.fault import fault_in
from protocols.http.fields import parse
from protocols.http.grammar import (
    BEGUN_RAW_REQUEST_LINE,
    BEGUN_REQUEST_LINE,
    BEGUN_STATUS_LINE,
    RAW_REQUEST_LINE,
    REQUEST_LINE,
    STATUS_LINE,
    TOKEN,
)
from protocols.http.http1.foreign import described, is_foreign
from protocols.http.http1.framing import said_once
from protocols.http.limits import Limits
from protocols.http.malformed import Malformed
from protocols.http.message import Headers, Request, Response
from protocols.http.status import (
    BAD_REQUEST,
    HTTP_VERSION_NOT_SUPPORTED,
    NOT_IMPLEMENTED,
    REQUEST_HEADER_FIELDS_TOO_LARGE,
    URI_TOO_LONG,
)
from protocols.http.target import escaped, read_host, read_target

VERSIONS = frozenset({"1.0", "1.1"})

BEGIN = 64
"""Bytes: by so many it is seen whether somebody speaks HTTP, before the first line is there."""

END = b"\r\n\r\n"
"""Of a head."""

_MUCH = 1 << 30
_ANY = Limits(headers=_MUCH, header_line_bytes=_MUCH)


def request_at_once(read: Reader, limits: Limits, encodes: bool) -> tuple[Request, int] | None:
    """
    Read the head of a request that is there as a whole, and has nothing wrong.

    @param encodes: see L{read_request}.
    @return: and how many bytes it was; C{None}: L{read_request} will tell what is the matter.
    """
    head = _at_once(read, limits)
    if head is None:
        return None
    line, lines, size = head
    try:
        headers = parse(lines, limits, len(line) + 2)
        request = _request(_request_line(line, limits, encodes), headers)
    except Malformed:
        return None
    if len(request.method) > limits.method_bytes:
        return None
    read.skip(size)
    return request, size


async def read_request(read: Reader, limits: Limits, encodes: bool) -> tuple[Request, int]:
    """
    Read the head of a request, piece by piece.

    @param encodes: whether what is not escaped in its target, though it has to be, is escaped.
    @return: and how many bytes it was.
    @raise Malformed: it is none; the reason, the offset, and the status to answer with.
    """
    pattern = BEGUN_RAW_REQUEST_LINE if encodes else BEGUN_REQUEST_LINE
    await _begun(read, pattern, "request line", limits.method_bytes)
    line = await read_line(read, limits, URI_TOO_LONG)
    begin = _request_line(line, limits, encodes)
    try:
        if begin[2] not in VERSIONS:
            raise _unknown(begin[2], len(line) - len("HTTP/1.1"))
        lines = await read_lines(read, limits, len(line) + 2)
        return _request(begin, parse(lines, limits, len(line) + 2)), len(line) + len(lines) + 4
    except CutOff as cut_off:
        raise Malformed(cut_off.reason, line=line) from None
    except Malformed as malformed:
        malformed.line = line
        raise


def request_of(head: bytes) -> Request:
    """A request whose head has been found to be good, and within the limits."""
    line, lines = _parts(head)
    return _request(_request_line(line, _ANY, False), parse(lines, _ANY, len(line) + 2))


def response_of(head: bytes, request: Request) -> Response:
    """L{request_of} for the head of a response."""
    line, lines = _parts(head)
    return _response(_status_line(line), parse(lines, _ANY, len(line) + 2, lenient=True), request)


def _parts(head: bytes) -> tuple[str, str]:
    line, _, lines = head[:-2].decode("latin-1").partition("\r\n")
    return line, lines


def _at_once(read: Reader, limits: Limits) -> tuple[str, str, int] | None:
    """
    First line, headers and size of a head that is there and within the limits; not read yet.
    """
    size = read.find(END)
    if not 0 < size <= limits.request_line_bytes + limits.head_bytes:
        return None
    line, _, lines = read.peek(size + 2).decode("latin-1").partition("\r\n")
    if len(line) > limits.request_line_bytes or len(lines) > limits.head_bytes + 2:
        return None
    return line, lines, size + 4


def _request_line(line: str, limits: Limits, encodes: bool) -> tuple[str, ...]:
    """Method, target and version."""
    if encodes:
        return _raw_request_line(line, limits)
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        raise _no_first_line(line, BEGUN_REQUEST_LINE, "request line")
    return found.groups()


def _raw_request_line(line: str, limits: Limits) -> tuple[str, ...]:
    found = RAW_REQUEST_LINE.fullmatch(line)
    if found is None:
        raise _no_first_line(line, BEGUN_RAW_REQUEST_LINE, "request line")
    method, raw, version = found.groups()
    target = escaped(raw)
    longest = limits.request_line_bytes
    if len(line) + len(target) - len(raw) > longest:
        reason = f"a line of more than {longest} bytes, when its target is escaped"
        raise Malformed(reason, None, URI_TOO_LONG, by="limits.request_line_bytes")
    return method, target, version


def _request(line: tuple[str, ...], headers: Headers) -> Request:
    method, text, version = line
    if version not in VERSIONS:
        raise _unknown(version)
    target = read_target(method, text, len(method) + 1)
    host, port = read_host(headers, version, target)
    return Request(method, target, version, headers, host, port)


def response_at_once(read: Reader, limits: Limits, request: Request) -> tuple[Response, int] | None:
    """L{request_at_once} for the head of a response."""
    head = _at_once(read, limits)
    if head is None:
        return None
    line, lines, size = head
    try:
        headers = parse(lines, limits, len(line) + 2, lenient=True)
        response = _response(_status_line(line), headers, request)
    except Malformed:
        return None
    read.skip(size)
    return response, size


async def read_response(read: Reader, limits: Limits, request: Request) -> tuple[Response, int]:
    """
    Read the head of a response, piece by piece.

    @return: and how many bytes it was.
    @raise Malformed: it is none; the reason and the offset.
    """
    await _begun(read, BEGUN_STATUS_LINE, "status line")
    line = await read_line(read, limits)
    begin = _status_line(line)
    if begin[0] not in VERSIONS:
        raise _unknown(begin[0])
    lines = await read_lines(read, limits, len(line) + 2)
    headers = parse(lines, limits, len(line) + 2, lenient=True)
    return _response(begin, headers, request), len(line) + len(lines) + 4


def _status_line(line: str) -> tuple[str, ...]:
    """Version, status and reason."""
    found = STATUS_LINE.fullmatch(line)
    if found is None:
        raise _no_first_line(line, BEGUN_STATUS_LINE, "status line")
    return found.groups("")


def _response(line: tuple[str, ...], headers: Headers, request: Request) -> Response:
    version, status, reason = line
    if version not in VERSIONS:
        raise _unknown(version)
    return Response(version, int(status), reason, said_once(headers), request)


async def _begun(read: Reader, pattern: re.Pattern[str], what: str, method: int = 0) -> None:
    """
    Wait for the first line, or for as much of it as tells whether it can become one.

    @param method: how long a method may be.
    @raise Malformed: it can't. Who says that would perhaps not end the line, but wait.
    """
    while True:
        end = read.find(b"\n")
        begin = read.peek(BEGIN if end < 0 else min(end, BEGIN)).decode("latin-1")
        if method:
            _check_method(begin, method)
        if pattern.fullmatch(begin) is None:
            raise _no_first_line(begin, pattern, what)
        if end >= 0 or len(begin) == BEGIN or not await read.more(len(begin)):
            return


def _check_method(line: str, longest: int) -> None:
    found = TOKEN.match(line)
    if found is not None and found.end() > longest:
        reason = f"a method of more than {longest} bytes"
        raise Malformed(reason, longest, NOT_IMPLEMENTED, by="limits.method_bytes")


async def read_line(read: Reader, limits: Limits, status: int = BAD_REQUEST) -> str:
    """
    The first line, without CRLF.

    @param status: to answer with if it is too long.
    @raise Malformed: it is, or ends wrongly.
    @raise CutOff: the end came first.
    """
    limit = limits.request_line_bytes
    try:
        line = await read.line(limit)
    except LoneEnd as lone:
        what = "a bare LF" if read.peek(lone.at + 1)[-1:] == b"\n" else "a bare CR"
        raise Malformed(what, lone.at) from None
    except CutOff:
        raise
    except Denied as denied:
        by = "limits.request_line_bytes"
        raise Malformed(denied.reason, limit, status, by=by) from None
    return line.decode("latin-1")


async def read_lines(read: Reader, limits: Limits, offset: int) -> str:
    """
    All lines up to the empty one, which is read too; each with its CRLF.

    @param offset: where in the message they begin.
    @raise Malformed: they are too many bytes, or end wrongly.
    @raise CutOff: the end came first.
    """
    try:
        lines = await read.lines(limits.head_bytes)
    except LoneEnd as lone:
        raise fault_in(read.peek(lone.at + 1).decode("latin-1"), offset) from None
    except CutOff:
        raise
    except Denied as denied:
        status, by = REQUEST_HEADER_FIELDS_TOO_LARGE, "limits.head_bytes"
        raise Malformed(denied.reason, limits.head_bytes, status, by=by) from None
    return lines.decode("latin-1")


def _unknown(version: str, offset: int = 0) -> Malformed:
    """@param offset: where in the message it is."""
    return Malformed(
        f"HTTP/{version}, where 1.0 and 1.1 are known", offset, HTTP_VERSION_NOT_SUPPORTED
    )


def _no_first_line(line: str, pattern: re.Pattern[str], what: str) -> Malformed:
    """@param pattern: how such a line may begin; the place is where it does so no longer."""
    if is_foreign(line):
        return Malformed(described(line), 0)
    found = pattern.match(line)
    at = 0 if found is None else found.end()
    if line[at - 1 : at] == "\r":  # a CR with something else than a LF behind it
        at -= 1
    return Malformed(f"not a {what}: {line[: at + 1][:200]!r}", at)

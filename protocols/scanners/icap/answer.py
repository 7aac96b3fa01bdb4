"""
Answers: what a server says, read by the grammar of HTTP/1.

A scanner reads what attackers wrote, so nothing that it says is trusted more than a server: its
heads have limits, its bodies too, and two ways to read something are one too many. Only folded
headers are taken, in its own head: c-icap writes C{X-Violations-Found} over several lines.
"""

from __future__ import annotations

import re

from attrs import frozen

from gateway.inspector import Reader
from gateway.interfaces import Denied
from protocols.http.fields import parse
from protocols.http.grammar import REQUEST_LINE, STATUS_LINE
from protocols.http.http1.body import ChunkedBody, Most
from protocols.http.limits import Limits
from protocols.http.message import Headers
from protocols.scanners.fault import ScannerFault

LIMITS = Limits()

_ICAP_LINE = re.compile(r"ICAP/1\.0 ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_FOLD = re.compile(r"[ \t]*\r\n[ \t]+")
_ORIGINAL = re.compile(rb"0+[ \t]*;[ \t]*use-original-body=([0-9]{1,15})", re.IGNORECASE)
_PARTS = re.compile(r"([a-z-]{1,12})=([0-9]{1,6})")

_ORDERS = frozenset(
    {
        ("null-body",),
        ("req-hdr", "req-body"),
        ("req-hdr", "null-body"),
        ("res-hdr", "res-body"),
        ("res-hdr", "null-body"),
        ("res-body",),
        ("opt-body",),
    }
)
"""What may be in an answer (RFC 3507, section 4.4.1)."""


@frozen
class Head:
    """
    An answer's own head.

    @ivar parts: what is encapsulated: names, and where each begins.
    """

    status: int
    reason: str
    headers: Headers
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def has_body(self) -> bool:
        """Whether a body follows the encapsulated heads."""
        return bool(self.parts) and self.parts[-1][0] != "null-body"


_GO_ON = b"ICAP/1.0 100 Continue\r\n\r\n"
_CONTINUE = Head(100, "Continue", Headers(()))
"""What most bodies are answered after their preview: read at once."""


async def read_head(read: Reader) -> Head:
    """@raise ScannerFault: it is no head of ICAP's."""
    await read.more()
    if read.unread >= len(_GO_ON) and read.peek(len(_GO_ON)) == _GO_ON:
        read.take(len(_GO_ON))
        return _CONTINUE
    try:
        line = (await read.line(LIMITS.request_line_bytes)).decode("latin-1")
        found = _ICAP_LINE.fullmatch(line)
        if found is None:
            raise ScannerFault(f"not an answer of ICAP: {line[:100]!r}")
        lines = (await read.lines(LIMITS.head_bytes)).decode("latin-1")
        headers = parse(_FOLD.sub(" ", lines), LIMITS, len(line) + 2)
    except Denied as denied:
        raise ScannerFault(f"ICAP: {denied.reason}") from None
    return Head(int(found[1]), found[2] or "", headers, _parts(headers))


def _parts(headers: Headers) -> tuple[tuple[str, int], ...]:
    said = headers.every("encapsulated")
    if not said:
        return ()
    parts = []
    for each in ", ".join(said).split(","):
        found = _PARTS.fullmatch(each.strip(" \t"))
        if found is None:
            raise ScannerFault(f"ICAP: Encapsulated: {each!r}")
        parts.append((found[1], int(found[2])))
    offsets = [at for _, at in parts]
    if tuple(name for name, _ in parts) not in _ORDERS or offsets[0] or offsets != sorted(offsets):
        raise ScannerFault(f"ICAP: Encapsulated: {', '.join(said)}")
    return tuple(parts)


@frozen
class Message:
    """
    An encapsulated message.

    @ivar status: of a response; 0: it is a request.
    @ivar line: the first one.
    """

    status: int
    headers: Headers
    line: str


async def read_message(read: Reader, head: Head) -> Message | None:
    """
    The encapsulated head, if there is one.

    @raise ScannerFault: it is none of HTTP's.
    """
    if len(head.parts) < 2:
        return None
    (kind, _), (_, size) = head.parts
    try:
        text = (await read.exactly(size, LIMITS.head_bytes)).decode("latin-1")
        line, _, lines = text.partition("\r\n")
        found = (STATUS_LINE if kind == "res-hdr" else REQUEST_LINE).fullmatch(line)
        if found is None or not lines.endswith("\r\n"):
            raise ScannerFault(f"ICAP: not the head of a message: {line[:100]!r}")
        headers = parse(lines[:-2], LIMITS, len(line) + 2)
    except Denied as denied:
        raise ScannerFault(f"ICAP: in the encapsulated head: {denied.reason}") from None
    return Message(int(found[2]) if kind == "res-hdr" else 0, headers, line)


def original_from(body: ChunkedBody) -> int | None:
    """
    From which byte on the original body follows one that was read to its end, as its last chunk
    says (RFC 3507, section 4.6, as the drafts of 206 have it); C{None}: it does not follow.
    """
    found = _ORIGINAL.fullmatch(body.line)
    return None if found is None else int(found[1])


def body_of(read: Reader, most: int) -> ChunkedBody:
    """
    The encapsulated body, of so many bytes at most. Reading it raises L{Denied}. Before a chunk's
    extension there is white space, in the RFC's own examples.
    """
    return ChunkedBody(read, LIMITS, Most(most, ""), 0, lambda headers: headers, lenient=True)

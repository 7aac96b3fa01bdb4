"""Icap: the server as a test plays it, with answers that c-icap was seen to give."""

from __future__ import annotations

import re

from gateway.testing.tools import FakeLine
from tests.protocols.scanners.clamd import VIRUS

OPTIONS = (
    b"ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nService: C-ICAP/0.5.10 server - Antivirus\r\n"
    b'ISTag: "CI0001-a"\r\nTransfer-Preview: *\r\nOptions-TTL: 3600\r\nPreview: 10\r\n'
    b"Allow: 204\r\nEncapsulated: null-body=0\r\n\r\n"
)

NOTHING = b'ICAP/1.0 204 Unmodified\r\nServer: C-ICAP/0.5.10\r\nISTag: "CI0001-a"\r\n\r\n'

_PAGE = b"HTTP/1.0 403 Forbidden\r\nServer: C-ICAP\r\nConnection: close\r\n\r\n"

FOUND = (
    b'ICAP/1.0 200 OK\r\nConnection: keep-alive\r\nISTag: "CI0001-a"\r\n'
    b"X-Infection-Found: Type=0; Resolution=2; Threat=Test.Virus;\r\n"
    b"X-Violations-Found: 1\r\n\t-\r\n\tTest.Virus\r\n\t0\r\n\t0\r\n"
    b"Encapsulated: res-hdr=0, res-body=%d\r\n\r\n%b5\r\npage\n\r\n0\r\n\r\n" % (len(_PAGE), _PAGE)
)

CONTINUE = b"ICAP/1.0 100 Continue\r\n\r\n"


def same(head: bytes, content: bytes, mode: bytes = b"res") -> bytes:
    """An answer that gives back this message."""
    return (
        b"ICAP/1.0 200 OK\r\nEncapsulated: %b-hdr=0, %b-body=%d\r\n\r\n%b%x\r\n%b\r\n0\r\n\r\n"
        % (mode, mode, len(head), head, len(content), content)
    )


def partial(head: bytes, content: bytes, original: int) -> bytes:
    """An answer that gives this, and then the original from there on (206)."""
    chunk = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
    return (
        b"ICAP/1.0 206 Partial Content\r\nEncapsulated: res-hdr=0, res-body=%d\r\n\r\n%b%b"
        b"0; use-original-body=%d\r\n\r\n" % (len(head), head, chunk, original)
    )


class Icap:
    """
    Answers.

    @ivar requests: what it was asked: the heads, and as much as came of the bodies.
    @ivar options: what it says of itself.
    @ivar says: in place of a verdict. Then it closes, if C{closes}.
    """

    def __init__(
        self, says: bytes | None = None, options: bytes = OPTIONS, closes: bool = False
    ) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self.options = options
        self.says = says
        self.closes = closes
        self._heard: dict[FakeLine, bytes] = {}
        self._body: dict[FakeLine, bytes] = {}
        self._previewed: set[FakeLine] = set()

    def __call__(self, line: FakeLine, data: bytes) -> None:
        heard = self._heard[line] = self._heard.get(line, b"") + data
        if line in self._body:
            self._more(line, heard)
            return
        head, end, rest = heard.partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"OPTIONS"):
            self._heard[line] = rest
            self.requests.append((head, b""))
            line.says(self.options)
            return
        found = re.search(rb"(null|re[qs])-body=(\d+)", head)
        assert found is not None, head
        size = int(found[2])
        if len(rest) < size:
            return
        self._heard[line] = rest[size:]
        self.requests.append((head + b"\r\n\r\n" + rest[:size], b""))
        if found[1] == b"null":
            self._judge(line)
        else:
            self._body[line] = b""
            self._more(line, rest[size:])

    def _more(self, line: FakeLine, heard: bytes) -> None:
        """Chunks."""
        found = re.compile(rb"([0-9a-f]+)(; ieof)?\r\n").match(heard)
        while found is not None:
            size = int(found[1], 16)
            end = found.end() + size + 2
            if len(heard) < end:
                return
            self._body[line] += heard[found.end() : end - 2]
            heard = self._heard[line] = heard[end:]
            if not size:
                head, body = self.requests[-1]
                self.requests[-1] = head, body + self._body.pop(line)
                if b"\r\nPreview:" in head and not found[2] and line not in self._previewed:
                    self._preview(line)
                else:
                    self._judge(line)
                return
            found = re.compile(rb"([0-9a-f]+)(; ieof)?\r\n").match(heard)

    def _preview(self, line: FakeLine) -> None:
        self._previewed.add(line)
        if self.says is None:
            self._body[line] = b""
            line.says(CONTINUE)
        else:
            self._judge(line)

    def _judge(self, line: FakeLine) -> None:
        if self.says is None:
            line.says(FOUND if VIRUS in self.requests[-1][1] else NOTHING)
        elif self.says:
            line.says(self.says)
        if self.closes:
            line.ends()

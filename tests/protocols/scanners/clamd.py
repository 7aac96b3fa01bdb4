"""Clamd: the daemon as a test plays it, with replies that the real one was seen to give."""

from __future__ import annotations

from struct import unpack

from gateway.testing.tools import FakeLine

VIRUS = b"SCAN-THIS-PLEASE"


class Clamd:
    """
    Answers sessions.

    @ivar bodies: those that it was given.
    @ivar says: in place of a verdict: C{%d} is the command's number. Then it closes, if C{closes}.
    """

    def __init__(self, says: bytes | None = None, closes: bool = False) -> None:
        self.bodies: list[bytes] = []
        self.says = says
        self.closes = closes
        self._heard: dict[FakeLine, bytes] = {}
        self._commands: dict[FakeLine, int] = {}

    def __call__(self, line: FakeLine, data: bytes) -> None:
        self._heard[line] = self._heard.get(line, b"") + data
        while self._step(line):
            pass

    def _step(self, line: FakeLine) -> bool:
        command, end, rest = self._heard[line].partition(b"\0")
        if not end:
            return False
        if command == b"zIDSESSION":
            self._commands[line] = 0
        elif command == b"zVERSION":
            line.says(b"%d: ClamAV 1.4.6/27456/Sun Nov 29 08:30:04 2026\0" % self._number(line))
        else:
            assert command == b"zINSTREAM", command
            found = self._body(rest)
            if found is None:
                return False
            body, rest = found
            self._judge(line, body, self._number(line))
        self._heard[line] = rest
        return True

    def _number(self, line: FakeLine) -> int:
        self._commands[line] += 1
        return self._commands[line]

    def _body(self, data: bytes) -> tuple[bytes, bytes] | None:
        body = b""
        while len(data) >= 4:
            (length,) = unpack(">I", data[:4])
            if not length:
                return body, data[4:]
            body, data = body + data[4 : 4 + length], data[4 + length :]
        return None

    def _judge(self, line: FakeLine, body: bytes, number: int) -> None:
        self.bodies.append(body)
        found = b"Test.Virus FOUND" if VIRUS in body else b"OK"
        if self.says is None:
            line.says(b"%d: stream: %b\0" % (number, found))
        elif self.says:
            line.says(self.says % number if b"%d" in self.says else self.says)
        if self.closes:
            line.ends()

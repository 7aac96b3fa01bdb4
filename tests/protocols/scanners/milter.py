"""Milter: a filter as a test plays it."""

from __future__ import annotations

from struct import pack, unpack

from gateway.testing.tools import FakeLine


def said(command: bytes, data: bytes = b"") -> bytes:
    """A packet of a filter."""
    return pack(">I", len(data) + 1) + command + data


CONTINUE = said(b"c")


class Milter:
    """
    Answers.

    @ivar told: what it was told, without macros.
    @ivar macros: those, by the command that they belong to.
    @ivar steps: what it offers to leave out.
    @ivar answers: in place of C{continue}, by command.
    @ivar end: at the end of the mail.
    """

    def __init__(
        self,
        end: bytes = CONTINUE,
        steps: int = 0,
        answers: dict[bytes, bytes] | None = None,
        version: int = 6,
    ) -> None:
        self.told: list[tuple[bytes, bytes]] = []
        self.macros: dict[bytes, bytes] = {}
        self.steps = steps
        self.answers = answers or {}
        self.end = end
        self.version = version
        self._heard: dict[FakeLine, bytes] = {}

    def __call__(self, line: FakeLine, data: bytes) -> None:
        self._heard[line] = self._heard.get(line, b"") + data
        while len(heard := self._heard[line]) >= 4:
            (length,) = unpack(">I", heard[:4])
            if len(heard) < 4 + length:
                return
            self._heard[line] = heard[4 + length :]
            self._step(line, heard[4:5], heard[5 : 4 + length])

    def _step(self, line: FakeLine, command: bytes, data: bytes) -> None:
        if command == b"D":
            self.macros[data[:1]] = data[1:]
            return
        self.told.append((command, data))
        if command == b"O":
            line.says(said(b"O", pack(">III", self.version, 0x1FF, self.steps)))
        elif command == b"E":
            line.says(self.end)
        elif command == b"Q":
            line.ends()
        elif answer := self.answers.get(command, CONTINUE):
            line.says(answer)

    @property
    def commands(self) -> bytes:
        """What it was told, in order."""
        return b"".join(command for command, _ in self.told)

"""Reply: the server's lines that answer one command, and where they end."""

from __future__ import annotations

from protocols.lines.settings import Command

LONE_DOT = b"."


class Reply:
    """
    What is still to come of a reply.

    @ivar last: its last line so far, as text; what follows may depend on it.
    @ivar over: whether all of it has come.
    """

    def __init__(self, command: Command) -> None:
        self.last = ""
        self._command = command
        self._in_block = False
        self._begun = False
        self.over = command.reply == "none"

    def add(self, line: bytes) -> None:
        """The next line has come."""
        if self._in_block:
            self.over = line == LONE_DOT
            return
        self._begun = True
        self.last = line.decode("latin-1")
        self._in_block = self._begins_block()
        self.over = not self._in_block and not self._goes_on()

    @property
    def begun(self) -> bool:
        """Whether any of it has come."""
        return self._begun

    def _begins_block(self) -> bool:
        command = self._command
        if command.reply == "block":
            return True
        after = command.block_after
        return after is not None and after.fullmatch(self.last) is not None

    def _goes_on(self) -> bool:
        more, until = self._command.more, self._command.until
        if more is not None and more.fullmatch(self.last):
            return True
        return until is not None and not until.fullmatch(self.last)

    @property
    def asks_for_upload(self) -> bool:
        """Whether the client sends a block now."""
        after = self._command.upload_after
        return after is not None and after.fullmatch(self.last) is not None

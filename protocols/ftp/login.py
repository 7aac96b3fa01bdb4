"""Login: which command may follow which (RFC 959, section 6: the state diagrams)."""

from __future__ import annotations

from enum import Enum

from protocols.ftp.command import Command
from protocols.ftp.reply import Reply
from protocols.ftp.verbs import VERBS


class State(Enum):
    """What the server waits for."""

    USER = "user"
    PASSWORD = "password"
    ACCOUNT = "account"
    IN = "in"


_NEXT = {331: State.PASSWORD, 332: State.ACCOUNT}

_FIRST = Reply(530, b"Please log in first.")
_USER_FIRST = Reply(503, b"Please send USER first.")
_HOST_FIRST = Reply(503, b"HOST comes before USER.")
_RENAME_FIRST = Reply(503, b"Please send RNFR first.")

MOST = 2**63
"""Offsets of files are signed 64 bit numbers."""


class Login:
    """
    How far the two have come.

    @ivar restart: where the next transfer is to begin.

    A client that sends PASS in any case may do so when USER alone was enough.
    """

    def __init__(self) -> None:
        self.state = State.USER
        self.restart = 0
        self._renaming = False
        self._named = False

    @property
    def complete(self) -> bool:
        """Whether somebody is logged in."""
        return self.state is State.IN

    def refusal(self, command: Command) -> Reply | None:
        """What to answer if it is not the time for C{command}."""
        if command.verb == "PASS" and self.state is not State.PASSWORD and not self._named:
            return _USER_FIRST
        if command.verb == "ACCT" and self.state not in (State.ACCOUNT, State.IN):
            return _USER_FIRST
        if command.verb == "HOST" and self.state is not State.USER:
            return _HOST_FIRST
        if not VERBS[command.verb].early and not self.complete:
            return _FIRST
        if command.verb == "RNTO" and not self._renaming:
            return _RENAME_FIRST
        return None

    def answered(self, command: Command, reply: Reply) -> None:
        """The server has answered C{command}, at last."""
        verb = VERBS.get(command.verb)
        self._renaming = command.verb == "RNFR" and reply.intermediate
        self._named = command.verb == "USER" and reply.completed
        if command.verb in ("USER", "PASS", "ACCT"):
            self._entered(command, reply)
        elif command.verb == "REIN" and reply.completed:
            self.state = State.USER
        elif command.verb == "REST":
            self.restart = int(command.argument or b"0") if reply.intermediate else 0
        elif verb is not None and verb.flow is not None:
            self.restart = 0

    def _entered(self, command: Command, reply: Reply) -> None:
        if reply.completed:
            self.state = State.IN
        elif reply.intermediate:
            self.state = _NEXT.get(reply.code, State.PASSWORD)
        elif not self.complete:
            self.state = State.USER  # else somebody is still logged in, or the server will say

"""Patience: how long a control connection waits for a login, for a command, for a reply."""

from __future__ import annotations

from collections.abc import Callable

from gateway.inspector import Deadline
from gateway.interfaces import CLIENT, ISession, ITimer, Outcome
from protocols.ftp.protection import Protection
from protocols.ftp.reply import Reply
from protocols.ftp.settings import FtpSettings

PARTING = 5.0
"""Seconds that a server has to answer a client that is gone (nginx: lingering_timeout)."""


class Patience:
    """The time limits of one control connection, beside those that every session has."""

    def __init__(self, session: ISession, settings: FtpSettings, protection: Protection) -> None:
        self._session = session
        self._protection = protection
        self._settings = settings
        self._login = Deadline(session)
        self._turn = Deadline(session)
        self._parting: ITimer | None = None
        self._answers = 0

    def begin(self) -> None:
        """The client is there; it has to log in."""
        if not self._login.running:
            self._set(self._login, "login_seconds", b"Login took too long; goodbye.")

    def logged_in(self) -> None:
        """It has."""
        self._login.clear()

    def for_command(self) -> None:
        """It is the client's turn."""
        self.wait()
        if not self._login.running:
            self._set(self._turn, "command_seconds", b"Nothing to do; goodbye.")

    def for_reply(self) -> None:
        """It is the server's turn."""
        self._set(self._turn, "reply_seconds", b"The server does not answer; goodbye.")

    def wait(self) -> None:
        """Wait as long as it takes: data flow, or an answer is known already."""
        self._turn.clear()

    def answered(self) -> None:
        """The server has answered a command."""
        self._answers += 1

    def left(self, flows: Callable[[], bool]) -> None:
        """
        The client is gone: what is pending may come to its end, as long as the server answers.

        @param flows: whether data do.
        """
        if self._parting is None:
            self._part_unless(flows, self._answers)

    def _part_unless(self, flows: Callable[[], bool], answers: int) -> None:
        def look() -> None:
            if flows() or self._answers != answers:
                self._part_unless(flows, self._answers)
            else:
                self._session.close("the client left, and the server does not answer")

        self._parting = self._session.after(PARTING, look)

    def release(self) -> None:
        """Nothing is known any more of what the two do."""
        self.wait()
        self.logged_in()

    def _set(self, deadline: Deadline, limit: str, text: bytes) -> None:
        seconds: float = getattr(self._settings, limit)
        if not seconds:
            deadline.clear()
            return

        def ran_out() -> None:
            if not self._protection.encrypting:
                self._session.send(CLIENT, Reply(421, text).written())
            self._session.close(f"time limit: {limit} = {seconds:g}", Outcome.FAILED)

        deadline.set(seconds, ran_out)

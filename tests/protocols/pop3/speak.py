"""How tests of POP3 speak to an inspector, and what they hear."""

from __future__ import annotations

from protocols.pop3.inspector import Pop3Inspector
from tests.protocols.mailbox import speak


class Talk(speak.Talk):
    """A session of POP3."""

    inspector = Pop3Inspector
    port = 110

    def greeted(self, text: bytes = b"ready") -> Talk:
        """The server has greeted."""
        self.server(b"+OK " + text + b"\r\n")
        return self

    def logged_in(self) -> Talk:
        """And the client has logged in."""
        self.greeted()
        self.ask(b"USER joe", b"+OK")
        self.ask(b"PASS sesame", b"+OK in")
        return self

    def fetch(self, *lines: bytes, command: bytes = b"RETR 1") -> bytes:
        """Fetch a message of these lines: what the client hears."""
        return self.ask(command, b"+OK 999 octets", *lines, b".")

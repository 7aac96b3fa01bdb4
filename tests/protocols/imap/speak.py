"""How tests of IMAP speak to an inspector, and what they hear."""

from __future__ import annotations

from protocols.imap.inspector import ImapInspector
from tests.protocols.mailbox import speak
from tests.protocols.mailbox.speak import HoldingSession


class Talk(speak.Talk):
    """A session of IMAP."""

    inspector = ImapInspector
    port = 143

    def refused(self, command: bytes) -> bytes:
        """A command that does not pass: what the client hears."""
        to_server, to_client = self.client(command + b"\r\n")
        assert to_server == b"", to_server
        return to_client

    def greeted(self, capabilities: bytes = b"IMAP4rev1") -> Talk:
        """The server has greeted."""
        self.server(b"* OK [CAPABILITY " + capabilities + b"] ready\r\n")
        return self

    def logged_in(self, capabilities: bytes = b"IMAP4rev1") -> Talk:
        """And the client has logged in."""
        self.greeted(capabilities)
        self.ask(b"a1 LOGIN joe sesame", b"a1 OK in")
        return self

    def selected(self, mailbox: bytes = b"INBOX", capabilities: bytes = b"IMAP4rev1") -> Talk:
        """And has chosen a mailbox."""
        self.logged_in(capabilities)
        self.ask(b"a2 SELECT " + mailbox, b"* 3 EXISTS", b"a2 OK [READ-WRITE] selected")
        return self

    def fetch(
        self, message: bytes, command: bytes = b"b FETCH 1 BODY[]", asked: bytes = b""
    ) -> bytes:
        """Fetch a message: what the client hears."""
        to_server, _ = self.client(command + b"\r\n")
        assert to_server.endswith((asked or b"(BODY[])") + b"\r\n"), (
            to_server,
            self.session.verdict,
        )
        said = b"* 1 FETCH (BODY[] {%d}\r\n%s)\r\nb OK done\r\n" % (len(message), message)
        return self.server(said)


class Examined(Talk):
    """The other inspector takes its time."""

    kind = HoldingSession

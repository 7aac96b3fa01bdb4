"""How tests of IMAP speak to an inspector, and what they hear."""

from __future__ import annotations

from typing import Any

from gateway.interfaces import CLIENT, SERVER, Address
from gateway.testing import FakeSession
from protocols.imap.inspector import ImapInspector
from protocols.imap.settings import ImapSettings
from tests.protocols.pop3.speak import HoldingSession

HOST = Address("192.0.2.1", 50001)
IMAP = Address("198.51.100.2", 143)


class Talk:
    """A session: says something, and tells what the others hear of it."""

    kind: type[FakeSession] = FakeSession

    def __init__(self, settings: ImapSettings | None = None, **session: Any) -> None:
        session.setdefault("server", IMAP)
        session.setdefault("client", HOST)
        settings = settings or ImapSettings()
        self.session = self.kind(ImapInspector, settings, **session).start()
        self._heard = {CLIENT: 0, SERVER: 0}

    def client(self, said: bytes) -> tuple[bytes, bytes]:
        """The client speaks: what the server hears, and what the client hears."""
        self.session.says(CLIENT, said)
        return self.heard(SERVER), self.heard(CLIENT)

    def server(self, said: bytes) -> bytes:
        """The server speaks: what the client hears."""
        self.session.says(SERVER, said)
        return self.heard(CLIENT)

    def heard(self, side: Any) -> bytes:
        """What a side has heard since it was asked last."""
        sent = self.session.sent[side]
        heard, self._heard[side] = sent[self._heard[side] :], len(sent)
        return heard

    def ask(self, command: bytes, *answer: bytes, passed: bytes | None = None) -> bytes:
        """A command that passes, and the lines of its answer: what the client hears."""
        to_server, to_client = self.client(command + b"\r\n")
        wanted = (command if passed is None else passed) + b"\r\n"
        assert to_server == wanted, (to_server, to_client, self.session.verdict)
        assert to_client == b"", to_client
        return self.server(b"".join(line + b"\r\n" for line in answer))

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

    @property
    def reason(self) -> str:
        """Why it is over."""
        assert self.session.verdict is not None, "it is not over"
        return self.session.verdict.reason

    @property
    def last(self) -> dict[str, Any]:
        """The last record about a command."""
        return self.session.records_of("imap")[-1]


class Examined(Talk):
    """The other inspector takes its time."""

    kind = HoldingSession

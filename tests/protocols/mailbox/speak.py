"""How tests of POP3 and IMAP speak to an inspector, and what they hear."""

from __future__ import annotations

from typing import Any, ClassVar

from gateway.envelope import NO_ENVELOPE, Envelope
from gateway.interfaces import CLIENT, SERVER, Address
from gateway.testing import FakeSession
from gateway.testing.body import FakeBody
from protocols.mailbox.inspector import MailboxInspector

HOST = Address("192.0.2.1", 50001)


class HeldBody(FakeBody):
    """What is given to another inspector stays there until the test says what becomes of it."""

    def send(self, data: bytes) -> None:
        """Nothing comes out."""
        self.data += data

    def end(self) -> None:
        """Nor now."""
        self.ended = True


class HoldingSession(FakeSession):
    """Messages are examined at leisure."""

    def stack(self, service: str, sink: Any, envelope: Envelope = NO_ENVELOPE) -> FakeBody:
        """See L{gateway.interfaces.ISession.stack}."""
        self.bodies.append(HeldBody(service, sink, envelope))
        return self.bodies[-1]


class Talk:
    """
    A session: says something, and tells what the others hear of it.

    @cvar port: the server's.
    """

    kind: type[FakeSession] = FakeSession
    inspector: ClassVar[type[MailboxInspector]]
    port: ClassVar[int]

    def __init__(self, settings: Any = None, **session: Any) -> None:
        session.setdefault("server", Address("198.51.100.2", self.port))
        session.setdefault("client", HOST)
        settings = settings or self.inspector.Settings()
        self.session = self.kind(self.inspector, settings, **session).start()
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

    @property
    def reason(self) -> str:
        """Why it is over."""
        assert self.session.verdict is not None, "it is not over"
        return self.session.verdict.reason

    @property
    def last(self) -> dict[str, Any]:
        """The last record about a command."""
        return self.session.records_of(self.inspector.alpn)[-1]

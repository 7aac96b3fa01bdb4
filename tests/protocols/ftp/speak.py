"""How tests of FTP speak to an inspector, and what they hear."""

from __future__ import annotations

from typing import Any

from gateway.interfaces import CLIENT, SERVER, Address
from gateway.testing import FakeExpectation, FakeSession
from protocols.ftp.inspector import FtpInspector
from protocols.ftp.settings import FtpSettings

HOST = Address("192.0.2.1", 50001)
FTP = Address("198.51.100.2", 21)
HOST6 = Address("2001:db8:1::1", 50001)
FTP6 = Address("2001:db8:2::2", 21)

READ_WRITE = FtpSettings(profile="read-write")
STRICT = FtpSettings(profile="read-write", pasv_address="deny")
PATIENT = FtpSettings(profile="read-write", errors=0, command_seconds=0.0, reply_seconds=0.0)
"""The time that a test lets pass, and the mistakes that it makes, are no matter."""

WRONG = b"421 The server sent what is no FTP; goodbye.\r\n"


class Session(FakeSession):
    """One whose methods a test may replace."""


class Control:
    """A control connection: says something, and tells what the others hear of it."""

    def __init__(self, settings: FtpSettings = READ_WRITE, **session: Any) -> None:
        session.setdefault("server", FTP)
        session.setdefault("client", HOST)
        self.session = Session(FtpInspector, settings, **session).start()
        self._heard = {CLIENT: 0, SERVER: 0}

    def client(self, said: bytes) -> tuple[bytes, bytes]:
        """The client speaks: what the server hears, and what the client hears."""
        self.session.says(CLIENT, said)
        return self._heard_by(SERVER), self._heard_by(CLIENT)

    def server(self, said: bytes) -> bytes:
        """The server speaks: what the client hears."""
        self.session.says(SERVER, said)
        return self._heard_by(CLIENT)

    def server_silent(self) -> bytes:
        """What the client hears while nobody speaks."""
        return self._heard_by(CLIENT)

    def _heard_by(self, side: Any) -> bytes:
        sent = self.session.sent[side]
        heard, self._heard[side] = sent[self._heard[side] :], len(sent)
        return heard

    def ask(self, command: bytes, *replies: bytes) -> bytes:
        """A command that passes, and its replies: what the client hears."""
        to_server, to_client = self.client(command + b"\r\n")
        assert to_server == command + b"\r\n", (to_server, to_client, self.session.verdict)
        assert to_client == b"", to_client
        return b"".join(self.server(reply + b"\r\n") for reply in replies)

    def log_in(self, name: bytes = b"anonymous") -> Control:
        """As this user."""
        self.server(b"220 ready\r\n")
        self.ask(b"USER " + name, b"331 password?")
        self.ask(b"PASS guess", b"230 welcome")
        return self

    def passive(self, port: int = 40000) -> FakeExpectation:
        """Agree on a passive data connection; the server announces C{port}."""
        said = b"227 Entering Passive Mode (198,51,100,2,%d,%d)." % (port >> 8, port & 255)
        heard = self.ask(b"PASV", said)
        assert heard == said + b"\r\n", (heard, self.session.verdict)
        return self.session.expected[-1]

    def active(self, port: int = 50002) -> FakeExpectation:
        """Agree on an active data connection; the client announces C{port}."""
        said = b"PORT 192,0,2,1,%d,%d" % (port >> 8, port & 255)
        assert self.ask(said, b"200 fine") == b"200 fine\r\n"
        return self.session.expected[-1]

    @property
    def reason(self) -> str:
        """Why it is over."""
        assert self.session.verdict is not None, "it is not over"
        return self.session.verdict.reason

    @property
    def records(self) -> list[tuple[str, dict[str, Any]]]:
        """The audit records."""
        return self.session.recorded

    @property
    def last(self) -> dict[str, Any]:
        """The last record: its own fields, and those of C{gateway}."""
        return self.session.records_of(self.records[-1][0])[-1]

    @property
    def transfers(self) -> list[dict[str, Any]]:
        """Those of transfers."""
        return self.session.records_of("ftp_data")

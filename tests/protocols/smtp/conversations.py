"""What mail clients and servers say, for the tests."""

from __future__ import annotations

from typing import Any

from gateway.interfaces import CLIENT, SERVER, Side
from gateway.testing import FakeSession
from protocols.smtp.inspector import SMTPInspector
from protocols.smtp.settings import SMTPSettings

GREETING = b"220 mail.example ESMTP\r\n"

OFFER = (
    b"250-mail.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-XCLIENT NAME\r\n"
    b"250-STARTTLS\r\n250-AUTH PLAIN LOGIN GSSAPI\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"
    b"250-DSN\r\n250-SMTPUTF8\r\n250-ETRN\r\n250 8BITMIME\r\n"
)

OK = b"250 2.0.0 Ok\r\n"
GO_AHEAD = b"354 Go ahead\r\n"
TAKEN = b"250 2.0.0 Ok: queued as 4F7Rk32Xn5\r\n"

HELLO = [
    (SERVER, GREETING),
    (CLIENT, b"EHLO client.example\r\n"),
    (SERVER, OFFER),
]

ENVELOPE = [
    *HELLO,
    (CLIENT, b"MAIL FROM:<alice@a.example>\r\n"),
    (SERVER, OK),
    (CLIENT, b"RCPT TO:<bob@b.example>\r\n"),
    (SERVER, OK),
]

DATA = [*ENVELOPE, (CLIENT, b"DATA\r\n"), (SERVER, GO_AHEAD)]

BYE = [(CLIENT, b"QUIT\r\n"), (SERVER, b"221 Bye\r\n"), (SERVER, None), (CLIENT, None)]

Steps = list[tuple[Side, bytes]]


def talk(steps: Any, settings: SMTPSettings | None = None, **options: Any) -> FakeSession:
    """A session in which this was said."""
    session = FakeSession(SMTPInspector, settings, **options).start()
    return said(session, steps)


def said(session: FakeSession, steps: Any) -> FakeSession:
    """The session, after some more was said."""
    for side, data in steps:
        if session.verdict is None:
            session.hangs_up(side) if data is None else session.says(side, data)
    return session


def answer(steps: Any, command: bytes, settings: SMTPSettings | None = None) -> tuple[bytes, bytes]:
    """What the client and the server get of one more command."""
    session = talk(steps, settings)
    before = {side: len(session.sent[side]) for side in (CLIENT, SERVER)}
    said(session, [(CLIENT, command)])
    client, server = (session.sent[side][before[side] :] for side in (CLIENT, SERVER))
    return client, server

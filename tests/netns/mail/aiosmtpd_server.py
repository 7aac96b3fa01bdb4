"""
aiosmtpd as a server to test with: aiosmtpd_server.py HOST PORT FOLDER CERTIFICATE

It says what happens on standard output, and delivers into FOLDER as others do into a maildir.
Mail to C{die@b.example} is its death: before it has answered to the message. Mail to
C{count@b.example} is not kept: it says how large it was.
"""

import os
import signal
import ssl
import sys
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.netns.mail import PASSWORD, USERNAME


class Box:
    """Takes mail."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    async def handle_RCPT(
        self, server: object, session: Session, envelope: Envelope, address: str, options: object
    ) -> str:
        """Mail for this domain only."""
        if not address.lower().endswith("@b.example"):
            return "550 5.7.1 No relaying here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:
        """Deliver, with the address that the mail came from."""
        assert isinstance(envelope.content, bytes)
        print(f"from {envelope.mail_from}", flush=True)
        print(f"{len(envelope.content)} bytes for {envelope.rcpt_tos}", flush=True)
        if "die@b.example" in envelope.rcpt_tos:
            os.kill(os.getpid(), signal.SIGKILL)
        if "count@b.example" not in envelope.rcpt_tos:
            self._deliver(f"X-Peer: {session.peer}\r\n".encode() + envelope.content)
        return "250 2.0.0 Taken"

    def _deliver(self, message: bytes) -> None:
        self._count += 1
        path = self._folder / f"{self._count:06}"
        path.write_bytes(message)
        path.rename(self._folder / "new" / path.name)


def log_in(
    server: object, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    """One user may."""
    right = data == LoginPassword(USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


def main(host: str, port: str, folder: str, certificate: str) -> None:
    """Serve until killed."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    controller = Controller(
        Box(Path(folder)),
        hostname=host,
        port=int(port),
        server_hostname="mail.b.example",
        data_size_limit=100_000_000,
        enable_SMTPUTF8=True,
        tls_context=tls,
        auth_require_tls=False,
        authenticator=log_in,
    )
    controller.start()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the end-to-end tests of SMTP subclass."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Mapping
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any, ClassVar

from tests.netns.case import SERVER, SceneCase
from tests.netns.mail.certificate import certificate
from tests.netns.mail.client import FROM, HELO, TO
from tests.netns.mail.server import Server
from tests.observe.reading import told

SMTP = """
inspector = "smtp"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [{port}]
[smtp]
{settings}
"""

FORWARD = """
action = "forward"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [{port}]
"""


def smtp(port: int | str, settings: str = "") -> str:
    """A service file: this port through the inspector."""
    return SMTP.format(port=port, settings=settings)


def forward(port: int | str) -> str:
    """A service file: this port past the gateway."""
    return FORWARD.format(port=port)


class SmtpCase(SceneCase):
    """
    Tests with mail servers.

    @cvar servers: which ones, by their ports.
    """

    servers: ClassVar[Mapping[int, type[Server]]] = {}
    running: ClassVar[dict[int, Server]]
    certificate: ClassVar[Path]

    def prepare(self) -> None:
        """Start the servers."""
        folder = self.scene.folder
        type(self).certificate = self.make_certificate(folder)
        type(self).running = {}
        for port, server in self.servers.items():
            place = folder / f"{server.name}{port}"
            running = server(self.server, place, SERVER, port, self.certificate)
            self.running[port] = running
            running.start()

    def make_certificate(self, folder: Path) -> Path:
        """The servers' key and certificate."""
        return certificate(folder)

    def smtp(self, port: int = 25) -> smtplib.SMTP:
        """The standard library's client, on the client's host."""
        with self.client.entered():
            client = smtplib.SMTP(SERVER, port, local_hostname=HELO, timeout=20)
        self.addCleanup(client.close)
        return client

    def mail(self, client: smtplib.SMTP, sender: str = FROM, recipient: str = TO) -> None:
        """A transaction up to DATA or BDAT."""
        client.ehlo_or_helo_if_needed()
        for code, reply in (client.mail(sender), client.rcpt(recipient)):
            self.assertEqual(code, 250, reply)

    def arrived(self, server: Server, value: str, header: str = "subject") -> Any:
        """The message with this subject, as soon as the server has it; the only one."""

        def found() -> list[Message]:
            return [each for each in server.messages() if each[header] == value]

        self.wait(found, f"no {value!r} at {server.name}")
        self.assertEqual(len(found()), 1)
        return found()[0]

    def records(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """The audit records of this kind that have these fields."""
        found = (told(one) for one in self.scene.records() if one["event_type"] == kind)
        return [one for one in found if fields.items() <= one.items()]

    def record(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The last of these records, as soon as there is one."""
        self.wait(lambda: self.records(kind, **fields), f"no {kind} record with {fields}")
        return self.records(kind, **fields)[-1]

    def hears(self, ours: socket.socket, last: bytes) -> bytes:
        """What comes, up to C{last}, or to the end."""
        heard = b""
        while last not in heard:
            data = ours.recv(65536)
            if not data:
                break
            heard += data
        return heard

    def hears_all(self, ours: socket.socket) -> bytes:
        """What comes, whatever its end."""
        heard = b""
        with suppress(ConnectionResetError):
            while data := ours.recv(65536):
                heard += data
        return heard

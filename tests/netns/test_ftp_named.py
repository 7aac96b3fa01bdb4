"""FTP end to end where clients name the server in their user name."""

from __future__ import annotations

import ftplib
import io
from typing import ClassVar

from gateway.lab.network import SERVER
from tests.netns.ftp_case import CONTENT, FTP, FtpCase
from tests.netns.ftp_servers import SERVERS

DOOR = "203.0.113.9"
"""Where clients connect to: nobody is there."""


class NamedTests(FtpCase):
    """Clients that connect to an address that is diverted, and say where they want to go."""

    servers = ("vsftpd",)
    services: ClassVar[dict[str, str]] = {"ftp": FTP + "user_servers = '198[.].*|localhost'\n"}

    def client_of(self) -> ftplib.FTP:
        """CPython's client, in front of the door."""
        client = ftplib.FTP(timeout=20)
        self.addCleanup(client.close)
        greeting = client.connect(DOOR)
        self.assertEqual(greeting, "220 Please log in as user@server.")
        return client

    def test_files(self) -> None:
        """Files go and come, passive and active; the client sees nobody but the door."""
        host = SERVERS["vsftpd"].hosts[4]
        with self.client.entered():
            client = self.client_of()
            client.login(f"anonymous@{host}", "x")
            source = self.source(client)
            for passive in (True, False):
                client.set_pasv(passive)
                got = io.BytesIO()
                client.retrbinary("RETR file", got.write)
                self.assertEqual(got.getvalue(), CONTENT)
                with client.transfercmd("RETR file") as data:
                    self.assertEqual(data.getpeername()[0], DOOR)
                    while data.recv(65536):
                        pass
                client.voidresp()
            client.quit()
        upstream = self.flow(source)["gateway"]["upstream"]
        self.assertEqual((upstream["ip"], upstream["port"]), (host, 21))
        self.assertEqual((upstream["source_ip"], upstream["source_port"]), source)

    def test_not_there(self) -> None:
        """Not to the gateway's own services, not to where no rule is, not to where nobody is."""
        with self.client.entered():
            client = self.client_of()
            for name in ("localhost", "198.18.0.1:22", "127.0.0.1"):
                with self.assertRaisesRegex(ftplib.error_perm, "530"):
                    client.sendcmd(f"USER anonymous@{name}")
            with self.assertRaisesRegex(ftplib.error_temp, "421"):
                client.sendcmd(f"USER anonymous@{SERVER}")

    def test_curl(self) -> None:
        """curl, which needs no more than a user name."""
        host, got = SERVERS["vsftpd"].hosts[4], self.scene.folder / "got"
        user = f"anonymous@{host}:x"
        self.client.run("curl", "-sS", "-m", "10", "-u", user, "-o", str(got), f"ftp://{DOOR}/file")
        self.assertEqual(got.read_bytes(), CONTENT)

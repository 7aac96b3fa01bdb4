"""
FTP end to end, with real servers: what happens to sessions and transfers on the way.

Every client with every server: L{tests.netns.test_ftp_matrix}. Attacks:
L{tests.netns.test_ftp_attacks}. Peers that die: L{tests.netns.test_ftp_endings}.
Much of everything: L{tests.netns.test_ftp_load}.
"""

from __future__ import annotations

import ftplib
import io
import socket
import time
from typing import ClassVar

from gateway.lab.namespace import CommandFailed
from tests.netns.ftp_case import CONTENT, FTP, FtpCase
from tests.netns.ftp_servers import SERVERS

READ_ONLY = FTP.replace("read-write", "anonymous-read-only")

HOST = SERVERS["vsftpd"].hosts[4]


class TransferTests(FtpCase):
    """What happens on the way."""

    servers = ("vsftpd", "pyftpdlib")

    def test_addresses(self) -> None:
        """
        The server's data connection comes to the client from the server's
        port 20, the client's to the server from the client's address.
        """
        with self.ftplib() as client:
            with client.transfercmd("RETR file") as data:
                self.assertEqual(data.getpeername()[0], HOST)
                source = data.getsockname()[:2]
                while data.recv(65536):
                    pass
            client.voidresp()
            client.set_pasv(False)
            with client.transfercmd("RETR file") as data:
                self.assertEqual(data.getpeername(), (HOST, 20))
                while data.recv(65536):
                    pass
            client.voidresp()
            client.quit()
        upstream = self.flow(source)["gateway"]["upstream"]
        self.assertEqual((upstream["source_ip"], upstream["source_port"]), source)

    def test_records(self) -> None:
        """Each transfer is recorded with its control connection's flow_id, and tied to its own."""
        with self.ftplib() as client:
            source = self.source(client)
            client.retrbinary("RETR file", lambda _: None)
            client.quit()
        control = self.flow(source)
        found = [one for one in self.transfers() if one["flow_id"] == control["flow_id"]]
        self.assertEqual([one["ftp_data"]["filename"] for one in found], ["file"])
        data = found[0]["gateway"]["data_flow_id"]
        flows = [one for one in self.scene.records() if one.get("flow_id") == data]
        self.assertEqual([one["parent_id"] for one in flows], [control["flow_id"]])
        self.assertEqual(flows[0]["flow"]["bytes_toclient"], len(CONTENT))

    def test_restart(self) -> None:
        """A download that is taken up again, one beyond the end, a file that is appended to."""
        with self.ftplib("pyftpdlib") as client:
            got = io.BytesIO()
            client.retrbinary("RETR file", got.write, rest=255_900)
            self.assertEqual(got.getvalue(), CONTENT[255_900:])
            with self.assertRaises(ftplib.Error):
                client.retrbinary("RETR file", got.write, rest=10**17)
            client.storbinary("STOR in/x", io.BytesIO(b"zero"))
            client.storbinary("STOR in/x", io.BytesIO(b"one"), rest=4)
            client.storbinary("APPE in/x", io.BytesIO(b"two"))
            self.assertEqual(self.inside("x"), b"zeroonetwo")
            client.delete("in/x")

    def test_nothing(self) -> None:
        """Files of no bytes, in both directions and modes: an end is an end."""
        for passive in (True, False):
            for name in self.servers:
                with self.ftplib(name, passive) as client:
                    client.retrbinary("RETR empty", self.fail)
                    client.storbinary("STOR in/nothing", io.BytesIO(b""))
                    self.assertEqual(self.inside("nothing", name), b"")
                    client.delete("in/nothing")

    def test_ascii(self) -> None:
        """Text in ASCII mode, with the lines' ends as the server makes them."""
        lines = ["one", "", "two, with a " + "long line" * 300]
        text = "\n".join(lines).encode()
        for passive in (True, False):
            with self.ftplib("pyftpdlib", passive) as client:
                client.storlines("STOR in/text", io.BytesIO(text))
                self.assertEqual(self.inside("text").splitlines(), text.splitlines())
                got: list[str] = []
                client.retrlines("RETR in/text", got.append)
                self.assertEqual(got, lines)
                client.delete("in/text")

    def test_unique(self) -> None:
        """A file whose name the server chooses (STOU)."""
        with self.ftplib("pyftpdlib") as client:
            client.cwd("in")
            client.storbinary("STOU", io.BytesIO(CONTENT))
            (name,) = client.nlst()
            self.assertEqual(self.inside(name), CONTENT)
            client.delete(name)

    def test_abort(self) -> None:
        """
        A transfer that is aborted with Telnet's Synch, and the next one. vsftpd
        only notices it if TCP's urgent mark comes along.
        """
        self.large()
        for name in self.servers:
            with self.ftplib(name) as client:
                data = client.transfercmd("RETR large")
                data.recv(1000)
                client.sock.sendall(b"\xff\xf4\xff")
                client.sock.sendall(b"\xf2", socket.MSG_OOB)
                client.sock.sendall(b"ABOR\r\n")
                self.assertEqual(client.getmultiline()[:3], "426")
                self.assertEqual(client.getmultiline()[:3], "226")
                data.close()
                got = io.BytesIO()
                client.retrbinary("RETR file", got.write)
                self.assertEqual(got.getvalue(), CONTENT)

    def test_order(self) -> None:
        """The reply does not overtake the data, however slow the client is."""
        size = self.large()
        with self.ftplib() as client:
            data = client.transfercmd("RETR large")
            data.recv(1, socket.MSG_PEEK)
            client.sock.settimeout(1)
            self.assertRaises(TimeoutError, client.sock.recv, 1, socket.MSG_PEEK)
            client.sock.settimeout(10)
            got = 0
            while piece := data.recv(1 << 20):
                got += len(piece)
            self.assertEqual(got, size)
            data.close()
            self.assertEqual(client.voidresp()[:3], "226")

    def inside(self, name: str, server: str = "pyftpdlib") -> bytes:
        """What a client put on a server."""
        return (self.root(SERVERS[server]) / "in" / name).read_bytes()


class WorkersTests(TransferTests):
    """
    With several workers, any of which may get the control connection: the data connections, active
    and passive, come to that one.
    """

    gateway = '[workers]\ncount = 3\nsteer = "connection"\n' + FtpCase.gateway


class ReadOnlyTests(FtpCase):
    """The profile anonymous-read-only."""

    servers = ("vsftpd",)
    services: ClassVar[dict[str, str]] = {"ftp": READ_ONLY}

    def test_upload(self) -> None:
        """curl can fetch, and can't put; the server has nothing of it."""
        root = self.root(SERVERS["vsftpd"])
        curl = ("curl", "-sS", "--max-time", "10")
        self.client.run(*curl, "-o", "/dev/null", f"ftp://{HOST}/file")
        with self.assertRaises(CommandFailed):
            self.client.run(*curl, "-T", str(root / "file"), f"ftp://{HOST}/in/x")
        with self.assertRaises(CommandFailed):
            self.client.run(*curl, "-u", "root:x", f"ftp://{HOST}/file")
        self.assertFalse((root / "in" / "x").exists())


SILENCE = "command_seconds = 0\nreply_seconds = 0\n[limits]\nidle_seconds = 1.0\n"


class IdleTests(FtpCase):
    """Data is life."""

    servers = ("vsftpd",)
    services: ClassVar[dict[str, str]] = {
        "ftp": FTP + "command_seconds = 0\nreply_seconds = 0\n[limits]\nidle_seconds = 1.0\n"
    }

    def test_idle_control(self) -> None:
        """A control connection that is silent while a file flows is not idle; afterwards it is."""
        size = self.large()
        with self.ftplib() as client:
            source = self.source(client)
            data = client.transfercmd("RETR large")
            got, end = 0, time.monotonic() + 3
            while piece := data.recv(300_000):
                got += len(piece)
                if time.monotonic() < end:
                    time.sleep(0.05)
            data.close()
            self.assertEqual(got, size)
            self.assertEqual(client.voidresp()[:3], "226")
            self.assertGreater(time.monotonic(), end)
            self.assertIn("idle", self.flow(source)["gateway"]["reason"])

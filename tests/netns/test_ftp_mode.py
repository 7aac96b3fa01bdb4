"""C{data_mode} end to end: passive clients with active servers, and the other way round."""

from __future__ import annotations

import ftplib
import io
from itertools import product
from typing import Any, ClassVar

from gateway.lab.network import CLIENT, CLIENT6, SERVER, SERVER6
from tests.netns.case import hear
from tests.netns.test_ftp import CONTENT, FTP, PORTS, FtpCase

PORT, OTHER_PORT = PORTS["vsftpd"], PORTS["pyftpdlib"]


def service(port: int, mode: str) -> str:
    """A service for one of the two servers."""
    return FTP.replace("[21, 2121]", f"[{port}]") + f'data_mode = "{mode}"\n'


class ModeTests(FtpCase):
    """Towards vsftpd always one way, towards pyftpdlib always the other way."""

    services: ClassVar[dict[str, str]] = {
        "ftp": service(PORT, "active"),
        "other": service(OTHER_PORT, "passive"),
    }

    def test_files(self) -> None:
        """Files arrive whole both ways, in all combinations, over IPv4 and IPv6."""
        before = len(self.transfers())
        for server, family, mode in product(PORTS, (4, 6), ("passive", "active")):
            with self.ftplib(server, family, mode) as client:
                got = io.BytesIO()
                client.retrbinary("RETR file", got.write)
                self.assertEqual(got.getvalue(), CONTENT)
                client.storbinary("STOR in/mode", io.BytesIO(CONTENT))
                self.assertEqual((self.folder / "in/mode").read_bytes(), CONTENT)
                self.assertIn("file", client.nlst())
                client.retrbinary("RETR empty", got.write)
                client.delete("in/mode")
                client.quit()
        self.wait(lambda: len(self.transfers()) == before + 32, "too few records of transfers", 5)
        records = [one["ftp_data"] for one in self.transfers()[before:]]
        modes = {(one["mode"], one.get("server_mode", one["mode"])) for one in records}
        self.assertEqual(modes, set(product(("passive", "active"), repeat=2)))
        self.assertEqual({one["verdict"] for one in records}, {"passed"})
        self.ends()

    def test_addresses(self) -> None:
        """
        An active client is connected to from the server's address, and the
        port below its control port; the server sees the client's address.
        """
        for host, ours in ((SERVER, CLIENT), (SERVER6, CLIENT6)):
            with self.client.entered(), ftplib.FTP(timeout=10) as client:
                client.connect(host, OTHER_PORT)
                client.login()
                client.set_pasv(False)
                with client.transfercmd("RETR file") as data:
                    self.assertEqual(data.getpeername()[:2], (host, OTHER_PORT - 1))
                    wanted = data.getsockname()[1]
                    while data.recv(65536):
                        pass
                client.voidresp()
                client.quit()
            (flow,) = self.flows(wanted)
            self.assertEqual(flow["src_ip"], host)
            self.assertEqual(flow["gateway"]["upstream"]["ip"], ours)
            self.assertEqual(flow["dest_ip"], ours)

    def flows(self, port: int) -> list[dict[str, Any]]:
        """Those of data connections to the client's port."""

        def found() -> list[dict[str, Any]]:
            return [
                one
                for one in self.scene.records()
                if one["event_type"] == "flow"
                and one["gateway"].get("upstream", {}).get("port") == port
            ]

        self.wait(found, "no flow record")
        return found()


class ThiefTests(FtpCase):
    """The test is the server."""

    services: ClassVar[dict[str, str]] = {"ftp": service(PORT, "active")}

    def prepare(self) -> None:
        """No other servers."""

    def test_thief(self) -> None:
        """
        A passive client's server is active: a third party that races to
        either door gets nothing, and disturbs nobody.
        """
        listener = self.listen(PORT, "203.0.113.9")
        ours = self.dial(("203.0.113.9", PORT))
        theirs, _ = self.accept(listener)
        for said, answer in ((b"", b"220 ready\r\n"), (b"USER ftp\r\n", b"230 in\r\n")):
            ours.sendall(said)
            self.assertEqual(hear(theirs, len(said)), said)
            theirs.sendall(answer)
            self.assertEqual(hear(ours, len(answer)), answer)
        ours.sendall(b"PASV\r\n")
        heard = self.line(theirs)
        self.assertTrue(heard.startswith(b"PORT 10,1,2,3,"), heard)
        far = numbers(heard)
        theirs.sendall(b"200 fine\r\n")
        near = numbers(self.line(ours))
        self.assertRefused(("203.0.113.9", near), "10.1.200.9")
        data = self.dial(("203.0.113.9", near))
        at_server = self.dial((CLIENT, far), ("203.0.113.9", 20), namespace=self.server, seconds=5)
        ours.sendall(b"RETR a\r\n")
        self.assertEqual(self.line(theirs), b"RETR a\r\n")
        theirs.sendall(b"150 here\r\n")
        at_server.sendall(b"hello")
        at_server.close()
        self.assertEqual(hear(data), b"hello")
        self.assertEqual(self.line(ours), b"150 here\r\n")
        theirs.sendall(b"226 done\r\n")
        self.assertEqual(self.line(ours), b"226 done\r\n")

    def line(self, sock: Any) -> bytes:
        """One line."""
        line = b""
        while not line.endswith(b"\n"):
            piece = sock.recv(1)
            assert piece, line
            line += piece
        return line


def numbers(line: bytes) -> int:
    """The port in a PORT command or a 227."""
    high, low = line.strip().rstrip(b").").split(b",")[-2:]
    return int(high) * 256 + int(low)

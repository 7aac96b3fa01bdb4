"""C{data_mode} end to end: passive clients with active servers, and the other way round."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.network import CLIENT, CLIENT6
from tests.netns.case import hear
from tests.netns.ftp_case import CONTENT, FTP, FtpCase, hear_line, port_in
from tests.netns.ftp_clients import Visit
from tests.netns.ftp_servers import SERVERS
from tests.observe.reading import told


def service(name: str, mode: str) -> str:
    """A service for one of the servers."""
    networks = [f'"{host}"' for host in SERVERS[name].hosts.values()]
    rule = f"ports = [21]\nto = [{', '.join(networks)}]"
    return FTP.replace("ports = [21]", rule) + f'data_mode = "{mode}"\n'


class ModeTests(FtpCase):
    """Towards vsftpd always one way, towards pyftpdlib always the other way."""

    servers = ("vsftpd", "pyftpdlib")
    services: ClassVar[dict[str, str]] = {
        "ftp": service("vsftpd", "active"),
        "other": service("pyftpdlib", "passive"),
    }

    def test_files(self) -> None:
        """Files arrive whole both ways, in all combinations, over IPv4 and IPv6."""
        before = len(self.transfers())
        for name, version, mode in product(self.servers, (4, 6), ("passive", "active")):
            inside = self.root(SERVERS[name]) / "in" / "mode"
            with Visit(self.client, SERVERS[name], version, mode, Path()).ftplib() as client:
                got = io.BytesIO()
                client.retrbinary("RETR file", got.write)
                self.assertEqual(got.getvalue(), CONTENT)
                client.storbinary("STOR in/mode", io.BytesIO(CONTENT))
                self.assertEqual(inside.read_bytes(), CONTENT)
                self.assertIn("file", client.nlst())
                client.retrbinary("RETR empty", got.write)
                client.delete("in/mode")
                client.quit()
        self.wait(lambda: len(self.transfers()) == before + 32, "too few records of transfers", 5)
        records = [told(one) for one in self.transfers()[before:]]
        modes = {(one["mode"], one.get("server_mode", one["mode"])) for one in records}
        self.assertEqual(modes, set(product(("passive", "active"), repeat=2)))
        self.assertEqual({one["verdict"] for one in records}, {"passed"})

    def test_addresses(self) -> None:
        """
        An active client is connected to from the server's address and port 20;
        the server sees the client's address.
        """
        server = SERVERS["pyftpdlib"]
        for version, ours in ((4, CLIENT), (6, CLIENT6)):
            with Visit(self.client, server, version, "active", Path()).ftplib() as client:
                with client.transfercmd("RETR file") as data:
                    self.assertEqual(data.getpeername()[:2], (server.hosts[version], 20))
                    wanted = data.getsockname()[1]
                    while data.recv(65536):
                        pass
                client.voidresp()
                client.quit()
            (flow,) = self.flows(wanted)
            self.assertEqual(flow["src_ip"], server.hosts[version])
            self.assertEqual(flow["dest_ip"], ours)
            self.assertEqual(flow["gateway"]["upstream"]["ip"], ours)

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

    services: ClassVar[dict[str, str]] = {"ftp": FTP + 'data_mode = "active"\n'}

    def test_thief(self) -> None:
        """
        A passive client's server is active: a third party that races to
        either door gets nothing, and disturbs nobody.
        """
        listener = self.listen(21, "203.0.113.9")
        ours = self.dial(("203.0.113.9", 21))
        theirs, _ = self.accept(listener)
        for said, answer in ((b"", b"220 ready\r\n"), (b"USER ftp\r\n", b"230 in\r\n")):
            ours.sendall(said)
            self.assertEqual(hear(theirs, len(said)), said)
            theirs.sendall(answer)
            self.assertEqual(hear(ours, len(answer)), answer)
        ours.sendall(b"PASV\r\n")
        heard = hear_line(theirs)
        self.assertTrue(heard.startswith(b"PORT 10,1,2,3,"), heard)
        far = port_in(heard)
        theirs.sendall(b"200 fine\r\n")
        near = port_in(hear_line(ours))
        self.assertRefused(("203.0.113.9", near), "10.1.200.9")
        data = self.dial(("203.0.113.9", near))
        at_server = self.dial((CLIENT, far), ("203.0.113.9", 20), namespace=self.server, seconds=5)
        ours.sendall(b"RETR a\r\n")
        self.assertEqual(hear_line(theirs), b"RETR a\r\n")
        theirs.sendall(b"150 here\r\n")
        at_server.sendall(b"hello")
        at_server.close()
        self.assertEqual(hear(data), b"hello")
        self.assertEqual(hear_line(ours), b"150 here\r\n")
        theirs.sendall(b"226 done\r\n")
        self.assertEqual(hear_line(ours), b"226 done\r\n")

"""
FTP on a gateway that is a stateful firewall too (kernel.md row 2): both legs of a data
connection may have the same addresses and ports, whoever made it.
"""

from __future__ import annotations

import io
import socket
from typing import ClassVar

from gateway.lab.network import CLIENT
from tests.netns.case import hear
from tests.netns.firewall import FIREWALL, MASQUERADE
from tests.netns.ftp_case import CONTENT, FTP, FtpCase, hear_line, port_in
from tests.netns.test_kernel import random_sequence

HOST = "203.0.113.9"
FILE = b"a" * 200_000


class FirewallTests(FtpCase):
    """The test is client and server, and begins each connection at a random number."""

    services: ClassVar[dict[str, str]] = {"ftp": FTP}
    gateway = "[limits]\nstop_seconds = 1.0\n"

    def prepare(self) -> None:
        self.router.run("nft", "-f", "-", input=FIREWALL)

    def log_in(self) -> tuple[socket.socket, socket.socket]:
        """A session: the client's end, and the server's."""
        listener = self.listen(21, HOST)
        ours = self.dial((HOST, 21), prepare=random_sequence)
        theirs, _ = self.accept(listener)
        listener.close()
        for said, answer in ((b"", b"220 ready\r\n"), (b"USER ftp\r\n", b"230 in\r\n")):
            ours.sendall(said)
            self.assertEqual(hear(theirs, len(said)), said)
            theirs.sendall(answer)
            self.assertEqual(hear(ours, len(answer)), answer)
        return ours, theirs

    def fetch(self, ours: socket.socket, theirs: socket.socket, passive: bool) -> None:
        """One file, by a client that is passive or active."""
        near = None if passive else self.listen(0, CLIENT, namespace=self.client)
        ours.sendall(b"PASV\r\n" if near is None else port_command(near))
        asked = hear_line(theirs)
        far = self.listen(0, HOST) if asked == b"PASV\r\n" else None
        theirs.sendall(b"200 fine\r\n" if far is None else b"227 (%s)\r\n" % numbers(far))
        answer = hear_line(ours)
        if near is None:
            data = self.dial((HOST, port_in(answer)), prepare=random_sequence)
        ours.sendall(b"RETR a\r\n")
        self.assertEqual(hear_line(theirs), b"RETR a\r\n")
        theirs.sendall(b"150 here\r\n")
        if far is None:
            to = CLIENT, port_in(asked)
            source = HOST, 20
            at_server = self.dial(to, source, self.server, random_sequence)
        else:
            at_server, _ = self.accept(far)
        if near is not None:
            data, peer = self.accept(near)
            self.assertEqual(peer, (HOST, 20))
        at_server.sendall(FILE)
        at_server.close()
        self.assertEqual(hear(data), FILE)
        data.close()
        theirs.sendall(b"226 done\r\n")
        self.assertEqual(hear_line(ours) + hear_line(ours), b"150 here\r\n226 done\r\n")

    def test_passive(self) -> None:
        """A passive client, again and again."""
        ours, theirs = self.log_in()
        for _ in range(8):
            self.fetch(ours, theirs, passive=True)

    def test_active(self) -> None:
        """An active client."""
        ours, theirs = self.log_in()
        for _ in range(8):
            self.fetch(ours, theirs, passive=False)


class ActiveTests(FirewallTests):
    """With a server that is always active."""

    services: ClassVar[dict[str, str]] = {"ftp": FTP + 'data_mode = "active"\n'}


class IptablesTests(FirewallTests):
    """The same with rules of iptables."""

    gateway = 'backend = "iptables"\n' + FirewallTests.gateway


class MasqueradeTests(FtpCase):
    """A gateway that has one address of its own for all clients, which servers see."""

    servers = ("vsftpd",)
    services: ClassVar[dict[str, str]] = {"ftp": FTP + 'data_mode = "passive"\n'}

    def prepare(self) -> None:
        super().prepare()
        self.router.run("nft", "-f", "-", input=FIREWALL + MASQUERADE)

    def test_active(self) -> None:
        """Active clients get their files: the server hears of no address of theirs."""
        for passive in (False, True):
            with self.ftplib(passive=passive) as client:
                got = io.BytesIO()
                client.retrbinary("RETR file", got.write)
                self.assertEqual(got.getvalue(), CONTENT)
                client.storbinary("STOR in/x", io.BytesIO(CONTENT))
                client.delete("in/x")


def numbers(listener: socket.socket) -> bytes:
    """Where it listens, as PORT and 227 write it."""
    host, port = listener.getsockname()
    return f"{host.replace('.', ',')},{port >> 8},{port & 255}".encode()


def port_command(listener: socket.socket) -> bytes:
    """Announce it."""
    return b"PORT %s\r\n" % numbers(listener)

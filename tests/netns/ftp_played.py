"""FTP end to end, where the test plays the server and the client: what each of them hears."""

from __future__ import annotations

import socket
from typing import ClassVar

from attrs import field, frozen

from gateway.lab.network import BANK
from tests.netns.case import Address, SceneCase, hear
from tests.netns.ftp_case import FTP, FtpCase


@frozen
class Control:
    """
    A control connection of which the test plays both ends.

    @ivar ours: the client's.
    @ivar theirs: the server's.
    """

    ours: socket.socket
    theirs: socket.socket
    source: Address = field(init=False)

    @source.default
    def _source(self) -> Address:
        """The client's address."""
        found: Address = self.ours.getsockname()[:2]
        return found

    def passes(self, command: bytes) -> None:
        """A command reaches the server, and nothing else before it."""
        self.ours.sendall(command + b"\r\n")
        self.arrives(command)

    def arrives(self, command: bytes) -> None:
        """It is what the server hears next."""
        heard = hear(self.theirs, len(command) + 2)
        assert heard == command + b"\r\n", heard

    def answered(self, reply: bytes, heard: bytes | None = None) -> None:
        """A reply reaches the client, as it is or as C{heard}."""
        self.theirs.sendall(reply + b"\r\n")
        self.hears(reply if heard is None else heard)

    def hears(self, reply: bytes) -> None:
        """It is what the client hears next."""
        got = hear(self.ours, len(reply) + 2)
        assert got == reply + b"\r\n", got

    def asks(self, command: bytes, reply: bytes, heard: bytes | None = None) -> None:
        """A command and its reply."""
        self.passes(command)
        self.answered(reply, heard)

    def refused(self, command: bytes, code: bytes) -> None:
        """A command is answered by the gateway; the server has none of it."""
        self.ours.sendall(command + b"\r\n")
        got = hear(self.ours, 4)
        assert got[:4] == code + b" ", got
        while not got.endswith(b"\r\n"):
            got += hear(self.ours, 1)
        self.asks(b"NOOP", b"200 fine")


class PlayedCase(FtpCase):
    """A gateway, and a server that the test plays itself."""

    services: ClassVar[dict[str, str]] = {"ftp": FTP + 'pasv_address = "deny"\n'}

    @property
    def owner(self) -> type[SceneCase]:
        """One gateway for all."""
        return PlayedCase

    def meet(self, host: str = BANK) -> Control:
        """A control connection, up to the greeting."""
        listener = self.listen(21, host)
        ours = self.dial((host, 21))
        theirs, _ = self.accept(listener)
        listener.close()
        for sock in (ours, theirs):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        control = Control(ours, theirs)
        control.answered(b"220 ready")
        return control

    def log_in(self, host: str = BANK) -> Control:
        """A control connection of somebody who is logged in."""
        control = self.meet(host)
        control.asks(b"USER ftp", b"230 in")
        return control

    def listening(self) -> set[str]:
        """Where the gateway listens for data connections."""
        lines = self.router.run("ss", "-Htln").splitlines()
        found = {line.split()[3] for line in lines}
        return {one for one in found if not one.endswith(":50080")}

    def assertOver(self, control: Control, why: str) -> None:
        """The session is denied, and nobody listens for it any more."""
        control.ours.close()
        record = self.flow(control.source)
        self.assertEqual(record["gateway"]["verdict"], "denied", record)
        self.assertIn(why, record["gateway"]["reason"])
        self.assertEqual(hear_all(control.theirs), b"")
        self.assertEqual(self.listening(), set())

    def data(self, control: Control, port: int = 40001) -> tuple[socket.socket, socket.socket]:
        """A passive data connection: the client's end, and the server's."""
        listener = self.listen(port, BANK)
        control.asks(
            b"EPSV",
            b"229 (|||%d|)" % port,
            b"229 Entering Extended Passive Mode (|||%d|)" % port,
        )
        ours = self.dial((BANK, port))
        theirs, _ = self.accept(listener)
        listener.close()
        return ours, theirs


def hear_all(sock: socket.socket) -> bytes:
    """Everything to the end, be it a reset."""
    heard = b""
    try:
        while data := sock.recv(65536):
            heard += data
    except ConnectionResetError:
        pass
    return heard

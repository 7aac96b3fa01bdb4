"""FTP end to end: clients and servers that die, at every stage of a session."""

from __future__ import annotations

import ftplib
import io
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from itertools import product

from gateway.lab.network import BANK
from protocols.ftp.patience import PARTING
from tests.netns.case import hear, reset
from tests.netns.ftp_case import CONTENT, FtpCase
from tests.netns.ftp_played import Control, PlayedCase, hear_all
from tests.netns.ftp_servers import SERVERS

Sockets = tuple[list[socket.socket], list[socket.socket]]
"""All of the client's, and all of the server's."""


class StageTests(PlayedCase):
    """
    One side is gone, with an end or with a reset: the other one hears of it, the
    gateway keeps nothing, and no transfer passes for complete.
    """

    def greeted(self) -> Sockets:
        """Before the login."""
        control = self.meet()
        return [control.ours], [control.theirs]

    def asked(self) -> Sockets:
        """The server owes an answer."""
        control = self.log_in()
        control.passes(b"NOOP")
        return [control.ours], [control.theirs]

    def announced(self) -> Sockets:
        """The server listens, nobody has come."""
        control = self.log_in()
        listener = self.listen(40001, BANK)
        control.asks(b"EPSV", b"229 (|||40001|)", b"229 Entering Extended Passive Mode (|||40001|)")
        return [control.ours], [control.theirs, listener]

    def announced_active(self) -> Sockets:
        """The client listens, nobody has come."""
        control = self.log_in()
        listener = self.listen(50002, "10.1.2.3", self.client)
        control.asks(b"PORT 10,1,2,3,195,82", b"200 fine")
        return [control.ours, listener], [control.theirs]

    def connected(self) -> Sockets:
        """There is a data connection, and no command."""
        control = self.log_in()
        ours, theirs = self.data(control)
        return [control.ours, ours], [control.theirs, theirs]

    def begun(self, command: bytes) -> tuple[Control, socket.socket, socket.socket]:
        """A transfer is on."""
        control = self.log_in()
        ours, theirs = self.data(control)
        control.asks(command, b"150 here")
        return control, ours, theirs

    def downloading(self) -> Sockets:
        """In the middle of a file."""
        control, ours, theirs = self.begun(b"RETR a")
        theirs.sendall(b"hello")
        self.assertEqual(hear(ours, 5), b"hello")
        return [control.ours, ours], [control.theirs, theirs]

    def uploading(self) -> Sockets:
        """In the middle of a file, the other way."""
        control, ours, theirs = self.begun(b"STOR a")
        ours.sendall(b"hello")
        self.assertEqual(hear(theirs, 5), b"hello")
        return [control.ours, ours], [control.theirs, theirs]

    def downloaded(self) -> Sockets:
        """The file is complete, but nobody has said so."""
        control, ours, theirs = self.begun(b"RETR a")
        theirs.close()
        self.assertEqual(hear(ours), b"")
        return [control.ours, ours], [control.theirs]

    def uploaded(self) -> Sockets:
        """The same, the other way."""
        control, ours, theirs = self.begun(b"STOR a")
        ours.close()
        self.assertEqual(hear(theirs), b"")
        return [control.ours], [control.theirs, theirs]

    def test_control_only(self) -> None:
        """A control connection that breaks in the middle of a file takes the file with it."""
        for side in ("ours", "theirs"):
            for command in (b"RETR a", b"STOR a"):
                control, ours, theirs = self.begun(command)
                sender, receiver = (theirs, ours) if command == b"RETR a" else (ours, theirs)
                sender.sendall(b"hello")
                self.assertEqual(hear(receiver, 5), b"hello")
                reset(getattr(control, side))
                self.assertReset(receiver)
                self.assertReset(sender)
                for sock in (control.ours, control.theirs, ours, theirs):
                    sock.close()
                self.wait(lambda: not self.remains(), "the gateway keeps something")

    def die(self, stage: Callable[[], Sockets], who: str, how: str) -> None:
        """One row."""
        before = len(self.transfers())
        dead, alive = stage()
        if who == "server":
            dead, alive = alive, dead
        for sock in dead:
            reset(sock) if how == "reset" else sock.close()
        for sock in alive:
            if not _listens(sock):
                sock.settimeout(3 * PARTING)
                hear_all(sock)
            sock.close()
        self.wait(lambda: not self.remains(), "the gateway keeps something")
        for record in self.transfers()[before:]:
            self.assertIsNone(record["gateway"]["completion_code"], record)

    def remains(self) -> str:
        """Sockets of the gateway that are not its listeners."""
        lines = self.router.run("ss", "-Htan", "state", "connected", "exclude", "time-wait")
        return lines.strip() + "".join(self.listening())


def _listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


STAGES = (
    "greeted",
    "asked",
    "announced",
    "announced_active",
    "connected",
    "downloading",
    "uploading",
    "downloaded",
    "uploaded",
)


def _add_row(stage: str, who: str, how: str) -> None:
    def test(self: StageTests) -> None:
        self.die(getattr(self, stage), who, how)

    test.__name__ = f"test_{stage}_{who}_{how}"
    test.__qualname__ = f"StageTests.{test.__name__}"
    test.__doc__ = f"{getattr(StageTests, stage).__doc__} The {who} is gone: {how}."
    setattr(StageTests, test.__name__, test)


for _row in product(STAGES, ("client", "server"), ("end", "reset")):
    _add_row(*_row)


def drain(sock: socket.socket) -> int:
    """How much there is to the end, be it a reset."""
    size = 0
    try:
        while data := sock.recv(1 << 20):
            size += len(data)
    except ConnectionResetError:
        pass
    return size


class KilledTests(FtpCase):
    """Programs that are killed in the middle of a file."""

    servers = ("vsftpd", "pyftpdlib")

    def test_server(self) -> None:
        """The client of a server that is killed is told; the next one is served."""
        size = self.large(60_000_000)
        masters = set(self.server.processes())
        with self.ftplib("vsftpd") as client:
            data = client.transfercmd("RETR large")
            heard = len(hear(data, 1000))
            for process in set(self.server.processes()) - masters:
                os.kill(process, signal.SIGKILL)
            self.assertLess(heard + drain(data), size)
            data.close()
            with self.assertRaisesRegex(ftplib.error_temp, "421"):
                client.voidresp()
        self.serves("vsftpd")

    def test_client(self) -> None:
        """The server of a client that is killed is rid of it; the next one is served."""
        self.large()
        host = SERVERS["pyftpdlib"].hosts[4]
        curl = self.client.start(
            *("curl", "-sS", "--limit-rate", "100k", "-o", "/dev/null", f"ftp://{host}/large"),
            stdout=subprocess.DEVNULL,
        )
        self.wait(lambda: self.connections() == 2, "there is no transfer")
        curl.kill()
        curl.wait()
        self.wait(lambda: self.connections() == 0, "the server still serves it")
        self.wait(self.transfers, "no record of the transfer")
        record = self.transfers()[-1]
        self.assertEqual(record["ftp_data"]["filename"], "large")
        self.assertNotEqual(record["gateway"]["verdict"], "passed", record)
        self.serves("pyftpdlib")

    def connections(self) -> int:
        """Connections on the servers' host."""
        found = self.server.run("ss", "-Htn", "state", "established")
        return len(found.splitlines())

    def serves(self, name: str) -> None:
        """A file comes whole."""
        with self.ftplib(name) as client:
            got = io.BytesIO()
            client.retrbinary("RETR file", got.write)
            self.assertEqual(got.getvalue(), CONTENT)

"""FTP end to end: real clients and real servers, active and passive, IPv4 and IPv6."""

from __future__ import annotations

import ftplib
import io
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.namespace import CommandFailed
from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SERVER6, SceneCase, hear

FTP = """
inspector = "ftp"
[[rule]]
from = ["office"]
ports = [21, 2121]
[ftp]
profile = "read-write"
"""
READ_ONLY = FTP.replace("read-write", "anonymous-read-only")

VSFTPD = """
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={folder}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
connect_from_port_20=YES
secure_chroot_dir={empty}
seccomp_sandbox=NO
"""

PORTS = {"vsftpd": 21, "pyftpdlib": 2121}
HOSTS = {4: SERVER, 6: SERVER6}
PAIRS = tuple(product(PORTS, (4, 6), ("passive", "active")))
CONTENT = bytes(range(256)) * 1000 + b"\r\nthe end"


class FtpCase(SceneCase):
    """A gateway with FTP, and two servers behind it."""

    services: ClassVar[dict[str, str]] = {"ftp": FTP}
    gateway = "[limits]\nstop_seconds = 1.0\n"

    def prepare(self) -> None:
        folder = self.scene.folder / "ftp"
        (folder / "in").mkdir(parents=True)
        (folder / "file").write_bytes(CONTENT)
        (folder / "empty").write_bytes(b"")
        (folder / "in").chmod(0o777)
        empty = self.scene.folder / "nothing"
        empty.mkdir()
        settings = self.scene.folder / "vsftpd.conf"
        settings.write_text(VSFTPD.format(folder=folder, empty=empty))
        self.server.start("/usr/sbin/vsftpd", str(settings))
        script = str(Path(__file__).with_name("ftp_server.py"))
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        python = ("/usr/bin/python3", script)
        self.server.start(*python, "::", "2121", str(folder), **quiet)
        for port in PORTS.values():
            self.wait_for(port)

    def wait_for(self, port: int) -> None:
        """Until a server listens."""

        def listens() -> bool:
            with self.server.socket() as probe:
                return probe.connect_ex((SERVER, port)) == 0

        if not wait_until(listens, seconds=10):
            raise AssertionError(f"no server listens on port {port}")

    @property
    def folder(self) -> Path:
        """What the servers serve."""
        return self.scene.folder / "ftp"

    def transfers(self) -> list[dict[str, Any]]:
        """The records of transfers so far."""
        return [one for one in self.scene.records() if one["event_type"] == "ftp_data"]

    def ends(self) -> None:
        """All control connections are over, as are their data connections; none was denied."""

        def over() -> bool:
            return not self.server.run("ss", "-Htn", "state", "established").strip()

        self.wait(over, "a connection is left")

    @contextmanager
    def ftplib(
        self, server: str = "vsftpd", family: int = 4, mode: str = "passive"
    ) -> Iterator[ftplib.FTP]:
        """CPython's client, logged in."""
        with self.client.entered(), ftplib.FTP(timeout=10) as client:
            client.connect(HOSTS[family], PORTS[server])
            client.login()
            client.set_pasv(mode == "passive")
            yield client


class ClientTests(FtpCase):
    """Every client with every server, in every way: files arrive whole."""

    def both_ways(self, name: str, command: list[list[str]], server: str) -> None:
        """Run clients that fetch "file" to C{got} and put it to in/NAME."""
        got = self.scene.folder / "got"
        got.unlink(missing_ok=True)
        before = len(self.transfers())
        for one in command:
            self.client.run(*one, seconds=15)
        self.assertEqual(got.read_bytes(), CONTENT)
        put = self.folder / "in" / name
        if any("in/" in word for one in command for word in one):
            self.assertEqual(put.read_bytes(), CONTENT)
            put.unlink()
        enough = before + len(command)
        self.wait(lambda: len(self.transfers()) >= enough, "too few records of transfers", 5)
        records = self.transfers()[before:]
        sizes = [
            one["ftp_data"]["size"]
            for one in records
            if one["ftp_data"]["direction"] in ("download", "upload")
        ]
        self.assertEqual(set(sizes), {len(CONTENT)}, records)
        self.assertEqual({one["ftp_data"]["verdict"] for one in records}, {"passed"})

    def test_curl(self) -> None:
        """curl."""
        got, sent = str(self.scene.folder / "got"), str(self.folder / "file")
        for server, family, mode in PAIRS:
            url = f"ftp://{_written(family)}:{PORTS[server]}"
            ways = {"passive": [], "active": ["--ftp-port", "-"]}[mode]
            curl = ["curl", "-sS", "--globoff", "--max-time", "10", *ways]
            self.both_ways(
                "curl",
                [[*curl, "-o", got, f"{url}/file"], [*curl, "-T", sent, f"{url}/in/curl"]],
                server,
            )

    def test_wget(self) -> None:
        """wget, which only fetches."""
        got = str(self.scene.folder / "got")
        for server, family, mode in PAIRS:
            url = f"ftp://{_written(family)}:{PORTS[server]}/file"
            ways = {"passive": [], "active": ["--no-passive-ftp"]}[mode]
            wget = ["wget", "-q", "-t", "1", "-T", "10", *ways, "-O", got, url]
            self.both_ways("wget", [wget], server)

    def test_lftp(self) -> None:
        """lftp."""
        got, sent = str(self.scene.folder / "got"), str(self.folder / "file")
        for server, family, mode in PAIRS:
            passive = "yes" if mode == "passive" else "no"
            url = f"ftp://{_written(family)}:{PORTS[server]}"
            script = (
                f"set net:max-retries 1; set net:timeout 8; set ftp:passive-mode {passive}; "
                f"open {url}; get file -o {got}; put {sent} -o in/lftp; ls; bye"
            )
            lftp = ["lftp", "--norc", "-c", script]
            self.both_ways("lftp", [lftp], server)

    def test_ftplib(self) -> None:
        """CPython's ftplib."""
        for server, family, mode in PAIRS:
            with self.ftplib(server, family, mode) as client:
                got = io.BytesIO()
                client.retrbinary("RETR file", got.write)
                self.assertEqual(got.getvalue(), CONTENT)
                client.storbinary("STOR in/ftplib", io.BytesIO(CONTENT))
                self.assertEqual((self.folder / "in/ftplib").read_bytes(), CONTENT)
                self.assertIn("file", client.nlst())
                client.rename("in/ftplib", "in/renamed")
                client.delete("in/renamed")
                client.quit()

    def test_netkit(self) -> None:
        """Debian's ftp (tnftp): a listing, a file, a directory."""
        got = str(self.scene.folder / "got")
        for server, family, mode in PAIRS:
            way = "-p" if mode == "passive" else "-A"
            commands = f"binary\nget file {got}\nls\nmkdir in/x\nrmdir in/x\nquit\n"
            said = self.client.run(
                *("ftp", "-n", way, HOSTS[family], str(PORTS[server])),
                input=f"user anonymous x\n{commands}",
                seconds=15,
            )
            self.assertEqual(Path(got).read_bytes(), CONTENT, said)
            Path(got).unlink()


class TransferTests(FtpCase):
    """What happens on the way."""

    def test_addresses(self) -> None:
        """
        The server's data connection comes to the client from the server's
        port 20, the client's to the server from the client's address.
        """
        with self.client.entered(), ftplib.FTP(timeout=10) as client:
            client.connect(SERVER, 21)
            client.login()
            with client.transfercmd("RETR file") as data:
                self.assertEqual(data.getpeername()[0], SERVER)
                source = data.getsockname()[:2]
                while data.recv(65536):
                    pass
            client.voidresp()
            client.set_pasv(False)
            with client.transfercmd("RETR file") as data:
                self.assertEqual(data.getpeername(), (SERVER, 20))
                while data.recv(65536):
                    pass
            client.voidresp()
            client.quit()
        upstream = self.flow(source)["gateway"]["upstream"]
        self.assertEqual((upstream["source_ip"], upstream["source_port"]), source)

    def test_records(self) -> None:
        """Each transfer is recorded with its control connection's flow_id, and tied to its own."""
        with self.ftplib() as client:
            source = client.sock.getsockname()[:2]
            client.retrbinary("RETR file", lambda _: None)
            client.quit()
        control = self.flow(source)
        found = [one for one in self.transfers() if one["flow_id"] == control["flow_id"]]
        self.assertEqual([one["ftp_data"]["filename"] for one in found], ["file"])
        data = found[0]["ftp_data"]["data_flow_id"]
        flows = [one for one in self.scene.records() if one.get("flow_id") == data]
        self.assertEqual([one["parent_id"] for one in flows], [control["flow_id"]])
        self.assertEqual(flows[0]["flow"]["bytes_toclient"], len(CONTENT))

    def test_restart(self) -> None:
        """A download that is taken up again, an empty file, one that is appended to."""
        with self.ftplib("pyftpdlib") as client:
            got = io.BytesIO()
            client.retrbinary("RETR file", got.write, rest=255_900)
            self.assertEqual(got.getvalue(), CONTENT[255_900:])
            client.retrbinary("RETR empty", got.write)
            client.storbinary("STOR in/x", io.BytesIO(b""))
            client.storbinary("APPE in/x", io.BytesIO(b"one"))
            client.storbinary("APPE in/x", io.BytesIO(b"two"))
            self.assertEqual((self.folder / "in/x").read_bytes(), b"onetwo")
            lines: list[str] = []
            client.retrlines("RETR in/x", lines.append)
            self.assertEqual(lines, ["onetwo"])
            client.delete("in/x")

    def test_abort(self) -> None:
        """A transfer that is aborted with Telnet's Synch, and the next one."""
        (self.folder / "large").write_bytes(bytes(30_000_000))
        with self.ftplib("pyftpdlib") as client:
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
        (self.folder / "large").write_bytes(bytes(30_000_000))
        with self.ftplib() as client:
            data = client.transfercmd("RETR large")
            time.sleep(1)
            client.sock.settimeout(0.2)
            self.assertRaises(TimeoutError, client.sock.recv, 1, socket.MSG_PEEK)
            client.sock.settimeout(10)
            size = 0
            while piece := data.recv(1 << 20):
                size += len(piece)
            self.assertEqual(size, 30_000_000)
            data.close()
            self.assertEqual(client.voidresp()[:3], "226")

    def test_many(self) -> None:
        """A tree of many small files, mirrored."""
        tree = self.folder / "tree"
        for number in range(300):
            folder = tree / str(number % 10)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / str(number)).write_bytes(b"%d" % number)
        copy = self.scene.folder / "copy"
        script = f"open ftp://{SERVER}; mirror --parallel=4 tree {copy}; bye"
        self.client.run("lftp", "--norc", "-c", f"set net:timeout 8; {script}", seconds=40)
        files = {path.name: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
        self.assertEqual(files, {str(number): b"%d" % number for number in range(300)})
        shutil.rmtree(tree)


class AttackTests(FtpCase):
    """What somebody tries, for real."""

    def prepare(self) -> None:
        """The servers are the test's own."""

    def log_in(self) -> tuple[socket.socket, socket.socket]:
        """A session with a server that the test plays itself, on another address."""
        listener = self.listen(21, "203.0.113.9")
        ours = self.dial(("203.0.113.9", 21))
        theirs, _ = self.accept(listener)
        listener.close()
        for said, answer in ((b"", b"220 ready\r\n"), (b"USER ftp\r\n", b"230 in\r\n")):
            ours.sendall(said)
            self.assertEqual(hear(theirs, len(said)), said)
            theirs.sendall(answer)
            self.assertEqual(hear(ours, len(answer)), answer)
        return ours, theirs

    def test_theft(self) -> None:
        """A third party that races to the passive port gets nothing, and disturbs nobody."""
        ours, theirs = self.log_in()
        ours.sendall(b"EPSV\r\n")
        hear(theirs, 6)
        listener = self.listen(40001, "203.0.113.9")
        theirs.sendall(b"229 (|||40001|)\r\n")
        hear(ours, 48)
        self.assertRefused(("203.0.113.9", 40001), "10.1.200.9")
        self.assertQuiet(listener)
        data = self.dial(("203.0.113.9", 40001))
        at_server, _ = self.accept(listener)
        ours.sendall(b"RETR a\r\n")
        hear(theirs, 8)
        at_server.sendall(b"hello")
        at_server.close()
        self.assertEqual(hear(data), b"hello")

    def assertRefusedOrLost(self, server: tuple[str, int]) -> None:
        """Nothing of the gateway listens there: the connection is the server's host's to refuse."""
        with self.client.socket() as ours:
            ours.settimeout(2)
            with self.assertRaises(OSError):
                ours.connect(server)

    def test_slipstreaming(self) -> None:
        """A web page's form, sent to port 21, opens nothing."""
        listener = self.listen(21, "203.0.113.9")
        ours = self.dial(("203.0.113.9", 21))
        theirs, _ = self.accept(listener)
        theirs.sendall(b"220 ready\r\n")
        hear(ours, 11)
        ours.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nPORT 10,1,2,3,200,1\r\n")
        self.assertReset(ours)
        self.assertIn("does not speak FTP", self.flow(ours.getsockname())["gateway"]["reason"])


class ReadOnlyTests(FtpCase):
    """The profile anonymous-read-only."""

    services: ClassVar[dict[str, str]] = {"ftp": READ_ONLY}

    def test_upload(self) -> None:
        """curl can fetch, and can't put; the server has nothing of it."""
        sent = str(self.folder / "file")
        curl = ("curl", "-sS", "--max-time", "10")
        self.client.run(*curl, "-o", "/dev/null", f"ftp://{SERVER}/file")
        with self.assertRaises(CommandFailed):
            self.client.run(*curl, "-T", sent, f"ftp://{SERVER}/in/x")
        with self.assertRaises(CommandFailed):
            self.client.run(*curl, "-u", "root:x", f"ftp://{SERVER}/file")
        self.assertFalse((self.folder / "in/x").exists())


class IdleTests(FtpCase):
    """Data is life."""

    services: ClassVar[dict[str, str]] = {"ftp": FTP + "[limits]\nidle_seconds = 1.0\n"}

    def test_idle_control(self) -> None:
        """A control connection that is silent while a file flows is not idle; afterwards it is."""
        (self.folder / "large").write_bytes(bytes(30_000_000))
        with self.ftplib() as client:
            data = client.transfercmd("RETR large")
            size, end = 0, time.monotonic() + 3
            while piece := data.recv(300_000):
                size += len(piece)
                if time.monotonic() < end:
                    time.sleep(0.05)
            data.close()
            self.assertEqual(size, 30_000_000)
            self.assertEqual(client.voidresp()[:3], "226")
            self.assertGreater(time.monotonic(), end)
            source = client.sock.getsockname()[:2]
            self.assertIn("idle", self.flow(source)["gateway"]["reason"])


def _written(family: int) -> str:
    return f"[{HOSTS[family]}]" if family == 6 else HOSTS[family]

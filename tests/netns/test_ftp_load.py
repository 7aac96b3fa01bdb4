"""FTP end to end: many files, many sessions, many bytes."""

from __future__ import annotations

import ftplib
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

from tests.netns.ftp_case import CONTENT, FtpCase
from tests.netns.ftp_clients import SECONDS, Visit
from tests.netns.ftp_servers import SERVERS
from tests.observe.reading import told

FILES = int(os.environ.get("MANY_FILES", "300"))
"""Files of the tree that is mirrored. MANY_FILES=2000 takes longer, and proves the same."""

LARGE = int(os.environ.get("LARGE_MIB", "384")) << 20
"""Bytes of the large files. LARGE_MIB=4096 takes longer, and proves the same."""

SESSIONS = 100

GROWTH = 6 << 20
"""How much more memory the gateway may take while the large files pass."""


class LoadTests(FtpCase):
    """Much of everything."""

    servers = ("vsftpd", "proftpd", "pyftpdlib")

    def test_tree(self) -> None:
        """A tree of many small files is mirrored by lftp, there and back."""
        server = SERVERS["proftpd"]
        source, copy = self.root(server) / "tree", self.scene.folder / "copy"
        wanted = {}
        for number in range(FILES):
            folder = source / str(number % 20)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / str(number)).write_bytes(b"%d" % number)
            wanted[str(number)] = b"%d" % number
        who = f"open -u {server.user},{server.password} ftp://{server.hosts[4]}"
        settings = f"set net:timeout {SECONDS}; set net:max-retries 2; set cmd:fail-exit yes"
        lftp = ("lftp", "--norc", "-c")
        seconds = 60 + FILES / 10
        self.client.run(
            *lftp, f"{settings}; {who}; mirror --parallel=4 tree {copy}; bye", seconds=seconds
        )
        self.assertEqual(contents(copy), wanted)
        self.client.run(
            *lftp, f"{settings}; {who}; mirror -R --parallel=4 {copy} in/tree; bye", seconds=seconds
        )
        self.assertEqual(contents(self.root(server) / "in" / "tree"), wanted)
        shutil.rmtree(self.root(server) / "in" / "tree")

    def test_sessions(self) -> None:
        """A hundred sessions at once, each in the middle of its own file, passive and active."""
        for name in ("vsftpd", "pyftpdlib"):
            server = SERVERS[name]
            for number in range(SESSIONS):
                (self.root(server) / str(number)).write_bytes(b"%d " % number + CONTENT)
            with ExitStack() as stack, self.client.entered():
                visits = (
                    Visit(self.client, server, (4, 6)[number // 2 % 2], mode, Path())
                    for number in range(SESSIONS)
                    for mode in (("passive", "active")[number % 2],)
                )
                clients = [stack.enter_context(visit.ftplib()) for visit in visits]
                self.fetch(clients)

    def fetch(self, clients: list[ftplib.FTP]) -> None:
        """Everybody's file, a piece at a time in turn."""
        reading = {}
        for number, client in enumerate(clients):
            client.voidcmd("TYPE I")
            reading[number] = client.transfercmd(f"RETR {number}")
        got = dict.fromkeys(reading, b"")
        while reading:
            for number, data in tuple(reading.items()):
                piece = data.recv(65536)
                got[number] += piece
                if not piece:
                    data.close()
                    del reading[number]
        for number, client in enumerate(clients):
            self.assertEqual(client.voidresp()[:3], "226")
            self.assertEqual(got[number], b"%d " % number + CONTENT)
            client.quit()

    def test_large(self) -> None:
        """Files much larger than memory should be: as many bytes come out, and memory stays."""
        self.large(LARGE)
        server = SERVERS["pyftpdlib"]
        os.mknod(self.root(server) / "null", 0o020666, os.makedev(1, 3))
        large = str(self.root(server) / "large")
        url = f"ftp://{server.hosts[4]}"
        before = self.memory()
        for way in (("--ftp-pasv",), ("--ftp-port", "-")):
            curl = ("curl", "-sS", *way, "-w", "%{size_download} %{size_upload}")
            seconds = 60 + LARGE / (16 << 20)
            down = self.client.run(*curl, "-o", "/dev/null", f"{url}/large", seconds=seconds)
            self.assertEqual(down.split(), [str(LARGE), "0"])
            up = self.client.run(*curl, "-T", large, f"{url}/null", seconds=seconds)
            self.assertEqual(up.split(), ["0", str(LARGE)])
        self.wait(lambda: len(self.large_ones()) == 4, "records are missing")
        self.assertEqual(set(self.large_ones()), {(LARGE, "passed")})
        self.assertLess(self.memory() - before, GROWTH)

    def large_ones(self) -> list[tuple[int, str]]:
        """Size and verdict of the large transfers."""
        records = [told(one) for one in self.transfers()]
        return [
            (one["size"], one["verdict"])
            for one in records
            if one["filename"] in ("large", "null", "/large", "/null")
        ]

    def memory(self) -> int:
        """The most memory that the gateway ever had."""
        status = Path(f"/proc/{self.scene.daemon.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) << 10


def contents(folder: Path) -> dict[str, bytes]:
    """All files below, by their names."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

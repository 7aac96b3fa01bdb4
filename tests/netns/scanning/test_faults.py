"""
A scanner that does something wrong, played on a real socket; and peers that leave meanwhile.

Whatever goes wrong has one record, nothing is left in the spool, and nothing passes that was not
judged.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
from itertools import count
from typing import Any, ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER
from tests.netns.scanning.case import ScanCase
from tests.netns.scanning.eicar import CLEAN
from tests.netns.scanning.test_clamd import resets

SCAN = """
inspector = "clamd"
[clamd]
servers = ["{folder}/clamd.socket"]
scan_seconds = 5
memory_bytes = 1000
failures = 1000
"""

GATEWAY = '[metrics]\nlisten = "127.0.0.1:9180"\n'

SMALL = CLEAN[:20_000]

NUMBERS = count()

FULL = """
mount -t tmpfs -o size=65536,mode=777 tmpfs "$0"
exec "$@"
"""
"""The gateway's own view of a disk that is soon full."""


class Faulty:
    """
    Plays clamd: reads a body, and then does what C{fault} says.

    @ivar bodies: how many it has read to their end.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fault = ""
        self.bodies = 0
        self.listener = self.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def listen(self, backlog: int = 100) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(backlog)
        subprocess.run(("chmod", "777", self.path), check=True)
        return listener

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(line,), daemon=True).start()

    def serve(self, line: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, EOFError, struct.error),
            line,
            line.makefile("rb") as told,
        ):
            self.session(line, told)

    def session(self, line: socket.socket, told: Any) -> None:
        number = 0
        while command := read(told):
            if command == b"zIDSESSION":
                continue
            number += 1
            if command == b"zVERSION":
                line.sendall(b"%d: ClamAV 1.4.6\0" % number)
                continue
            if self.fault == "leaves at once":
                resets(line)
                return
            while size := struct.unpack(">I", told.read(4))[0]:
                told.read(size)
            self.bodies += 1
            if not self.answer(line, number):
                return

    def answer(self, line: socket.socket, number: int) -> bool:
        """What it says of a body; whether it goes on."""
        good = b"%d: stream: OK\0" % number
        says = {
            "half a line": good[:-5],
            "half a number": b"%d" % number,
            "rubbish": b"\xff\0\n" * 20,
            "another number": b"%d: stream: OK\0" % (number + 1),
            "an error": b"%d: stream: Can't allocate memory ERROR\0" % number,
            "leaves": b"",
            "hangs": b"",
        }
        line.sendall(says.get(self.fault, good))
        if self.fault == "hangs":
            line.recv(1)
        return self.fault in ("", "an error")

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read(told: Any) -> bytes:
    """A command."""
    command = b""
    while byte := told.read(1):
        if byte == b"\0":
            return command
        command += byte
    return b""


class FaultTests(ScanCase):
    """HTTP."""

    scan = SCAN
    scanner: ClassVar[Faulty]

    def prepare(self) -> None:
        super().prepare()
        disk = self.scene.folder / "disk"
        disk.mkdir()
        self.gateway = f'{GATEWAY}[spool]\nfolder = "{disk}"\n'
        self.scene.daemon.before = ("unshare", "-m", "sh", "-ec", FULL, str(disk))
        type(self).scanner = Faulty(str(self.scene.folder / "clamd.socket"))

    def setUp(self) -> None:
        super().setUp()
        self.scanner.fault = ""

    def file(self) -> str:
        """Another one each time, so that its records are its own."""
        name = f"file-{next(NUMBERS)}"
        (self.www / name).write_bytes(SMALL)
        return name

    def is_well(self) -> None:
        """A body is judged, and passes."""
        self.assertEqual(self.get(self.file()), (200, SMALL))

    def left(self, name: str, result: str) -> str:
        """What is left of a body: one record, which says this and why, and no byte."""
        found = self.record(filename=name)
        self.assertEqual(found["result"], result, found)
        self.assertEqual(len(self._records({"filename": name})), 1)
        for where in ("memory", "files"):
            self.assertIn(f'tproxygw_spooled_bytes{{where="{where}"}} 0.0', self.metrics())
        reason: str = found["reason"]
        return reason

    def test_faults(self) -> None:
        """It says too little, too much, or nothing; or leaves."""
        for fault in (
            *("half a line", "half a number", "rubbish", "another number", "an error"),
            *("leaves", "leaves at once", "hangs"),
        ):
            self.scanner.fault, name = fault, self.file()
            self.assertEqual(self.get(name)[0], 403, fault)
            self.left(name, "failed")
            self.scanner.fault = ""
            self.is_well()

    def test_closes_each_time(self) -> None:
        """One that closes after each answer is asked again, on a new connection."""
        self.scanner.fault = "closes"
        for _ in range(3):
            self.is_well()

    def test_full(self) -> None:
        """One that takes no more connections is asked again until time is over."""
        self.scanner.fault = "closes"
        self.is_well()  # on a connection that was kept, perhaps
        self.scanner.close()
        path = self.scene.folder / "clamd.socket"
        path.unlink()
        full = self.scanner.listen(backlog=0)
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(str(path))
        name = self.file()
        self.assertEqual(self.get(name)[0], 403)
        self.assertIn("no verdict within 5 seconds", self.left(name, "failed"))
        full.close()
        waiting.close()
        path.unlink()
        type(self).scanner = Faulty(str(path))
        self.is_well()

    def test_disk_full(self) -> None:
        """A body for which there is no room on the disk does not pass, and leaves it empty."""
        self.assertEqual(self.get("clean")[0], 403)
        self.assertIn("No space left on device", self.left("clean", "failed"))
        self.is_well()

    def test_client_leaves(self) -> None:
        """Nobody waits for a verdict that nobody wants."""
        self.scanner.fault = "hangs"
        bodies = self.scanner.bodies
        client = self.dial((SERVER, 80), prepare=resets)
        name = self.file()
        client.sendall(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert wait_until(lambda: self.scanner.bodies > bodies, 10)
        client.close()
        self.left(name, "cut-off")

    def test_server_leaves(self) -> None:
        """What does not come to its end is not judged, and the client has nothing of it."""
        client = self.dial((SERVER, 80))
        name = self.file()
        client.sendall(f"GET /{name}?cut=10000 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        self.left(name, "cut-off")
        with contextlib.suppress(ConnectionResetError):
            self.assertNotIn(CLEAN[:100], client.recv(65536))

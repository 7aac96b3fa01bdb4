"""The real clamd, with signatures of our own: there is nothing to download."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from hashlib import sha256
from pathlib import Path

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until
from tests.netns.mail.unpacked import FOLDER
from tests.netns.scanning.eicar import EICAR

PATTERN = b"SCAN-THIS-PLEASE"
"""What the signature of a pattern finds."""

CONF = """
LocalSocket {folder}/clamd.socket
DatabaseDirectory {folder}/signatures
TemporaryDirectory {folder}
Foreground yes
User root
StreamMaxLength 4M
LogFile {folder}/clamd.log
"""


class Clamav:
    """
    One daemon.

    @ivar socket: where it listens.
    """

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.folder = folder
        self._namespace = namespace
        self.socket = folder / "clamd.socket"
        self._process: subprocess.Popen[bytes] | None = None
        signatures = folder / "signatures"
        signatures.mkdir(parents=True)
        digest = sha256(EICAR).hexdigest()
        (signatures / "own.hsb").write_text(f"{digest}:{len(EICAR)}:Eicar-Test\n")
        (signatures / "own.ndb").write_text(f"Pattern-Test:0:*:{PATTERN.hex()}\n")
        (folder / "clamd.conf").write_text(CONF.format(folder=folder))

    def start(self) -> None:
        """Until it answers."""
        self._process = self._namespace.start(
            *(str(FOLDER / "clamav-daemon/usr/sbin/clamd"), "-c", str(self.folder / "clamd.conf")),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if not wait_until(self._answers, seconds=30):
            raise AssertionError((self.folder / "clamd.log").read_text())
        self.socket.chmod(0o777)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.socket)):
                return False
            probe.sendall(b"zPING\0")
            return probe.recv(10) == b"PONG\0"

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP: it hangs. SIGCONT: no more."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def stop(self) -> None:
        """At once, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self.socket.unlink(missing_ok=True)

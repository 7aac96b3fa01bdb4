"""C{tproxygw-usher.service}."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from tests.kernel.namespaces import namespace

SERVICE = """
inspector = "relay"
handshake = "through"

[[rule]]
ports = [1000]
"""

SOFT, HARD = 64, 2048
"""Open files, as systemd gives many more than a program asks for."""


class ServiceTests(SynchronousTestCase):
    """The usher as a service of its own."""

    def test_open_files(self) -> None:
        """It opens as many sockets as it may: a client that waits for the gateway has two."""
        with TemporaryDirectory() as name, namespace() as host:
            folder = Path(name)
            (folder / "config" / "services").mkdir(parents=True)
            (folder / "config" / "gateway.toml").touch()
            (folder / "config" / "services" / "relay.toml").write_text(SERVICE)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
                told.bind(str(folder / "notify"))
                told.settimeout(30)
                process = subprocess.Popen(
                    (
                        *("ip", "netns", "exec", host.name, "prlimit", f"--nofile={SOFT}:{HARD}"),
                        *(sys.executable, "-m", "gateway.kernel.handshake"),
                        *(f"--{each}={folder / each}" for each in ("config", "runtime", "listen")),
                    ),
                    env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
                )
                self.addCleanup(process.wait)
                self.addCleanup(process.terminate)
                self.assertTrue(told.recv(4096).startswith(b"READY=1\nSTATUS=Takes over"))
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            self.assertRegex(limits, rf"Max open files +{HARD} +{HARD} ")

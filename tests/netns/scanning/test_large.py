"""A body that is larger than what is scanned, and than the memory that it may take."""

from __future__ import annotations

from pathlib import Path

from tests.netns.case import SERVER
from tests.netns.scanning.case import ScanCase

SCAN = """
inspector = "program"
[program]
command = ["/bin/sh", "-c", "cat >/dev/null"]
larger = "scan-beginning"
body_bytes = 1048576
"""

SIZE = 2 << 30
MEMORY = 32 << 20
"""Bytes that the gateway may have more than before."""


class LargeTests(ScanCase):
    """HTTP."""

    scan = SCAN

    def begin(self) -> None:
        """Not as root, who would not run programs."""
        self.scene.folder.chmod(0o777)
        self.scene.daemon.options = ("--uid=65534", "--gid=65534")
        super().begin()

    def test_memory(self) -> None:
        """Of two GiB the beginning is judged, and the rest passes by; memory does not grow."""
        self.assertEqual(self.get("clean")[0], 200)
        before = self.most_memory()
        tell = ("-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}")
        told = self.client.run("curl", *tell, f"http://{SERVER}/?zeros={SIZE}", seconds=600)
        self.assertEqual(told, f"200 {SIZE}")
        record = self.record(beginning_only=True)
        self.assertEqual((record["result"], record["size"]), ("clean", 1048576))
        self.assertLess(self.most_memory() - before, MEMORY)

    def most_memory(self) -> int:
        """The most that the gateway's process ever had, in bytes."""
        status = Path(f"/proc/{self.scene.daemon.pid}/status").read_text()
        self.assertIn("twistd", status)
        return int(status.partition("VmHWM:")[2].split()[0]) << 10

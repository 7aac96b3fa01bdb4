"""Bodies that are matched against YARA rules, by a process without privileges."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.netns.scanning.case import ScanCase
from tests.netns.scanning.eicar import CLEAN, EICAR, compressed

RULES = """
rule Eicar {
  strings: $a = "EICAR-STANDARD" $b = "EICAR-STANDARD" base64
  condition: any of them
}
rule Nothing { condition: filesize < 0 }
"""

SCAN = """
inspector = "yara"
[yara]
rules = ["{folder}/yara/"]
scan_seconds = 20
words = "Refused: $found"
"""

OPEN = """
home=$1; shift
case $home in
/root/*)
    mount --make-rprivate /
    mkdir -p "$0"
    mount --bind "$home" "$0"
    mount -t tmpfs -o mode=755 tmpfs /root
    mkdir -p "$home"
    mount --move "$0" "$home"
esac
exec "$@"
"""
"""
An interpreter below /root is nobody's but root's: for the gateway, and whom it starts, there is
another view of the files.
"""


class YaraTests(ScanCase):
    """HTTP."""

    scan = SCAN

    def prepare(self) -> None:
        super().prepare()
        rules = self.scene.folder / "yara"
        rules.mkdir()
        (rules / "own.yar").write_text(RULES)
        rules.chmod(0o755)

    def begin(self) -> None:
        """Not as root, who would not run programs."""
        self.scene.folder.chmod(0o777)
        home = str(Path(os.path.realpath(sys.executable)).parents[1])
        view = str(self.scene.folder / "interpreter")
        self.scene.daemon.before = ("unshare", "-m", "sh", "-ec", OPEN, view, home)
        self.scene.daemon.options = ("--uid=65534", "--gid=65534")
        super().begin()

    def test_bodies(self) -> None:
        """What a rule matches has the rule's name, compressed as well; the rest arrives."""
        self.assertEqual(self.get("clean"), (200, CLEAN))
        for path in ("eicar", "gzip?coding=gzip", "deflate?coding=deflate"):
            status, page = self.get(path)
            self.assertEqual((status, b"Refused: Eicar" in page), (403, True), page)
        self.assertEqual(self.get("gzip-clean?coding=gzip"), (200, compressed(b"clean")))
        self.assertEqual([self.put("good", CLEAN), self.put("bad", EICAR)], [201, 403])
        self.assertEqual(self.send(EICAR), (550, b"5.7.1 Refused: Eicar"))
        record = self.record(filename="eicar")
        self.assertEqual(record["found"], ["Eicar"])
        self.assertRegex(record["scanner"], "^YARA-X [0-9.]+, 1 files of rules$")
        self.assertNotIn("matcher.py", self.ended())

    def ended(self) -> str:
        """What runs when the gateway has ended."""
        self.scene.daemon.stop()
        running = self.router.run("ps", "-ef")
        self.scene.daemon.start()
        return "\n".join(one for one in running.splitlines() if str(self.scene.folder) in one)

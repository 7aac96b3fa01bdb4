"""Bodies that a shell script judges."""

from __future__ import annotations

from typing import ClassVar

from tests.netns.scanning.case import ScanCase
from tests.netns.scanning.eicar import CLEAN, EICAR

SCRIPT = """#!/bin/sh
# 0: nothing is in it. 1: each line is the name of something that is. Anything else: no idea.
case "$TPROXYGW_FILENAME" in
    slow) sleep 1017 & sleep 1017 ;;
    broken) echo "no signatures" >&2; exit 2 ;;
esac
if grep -q 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE'; then
    echo Eicar-Test
    exit 1
fi
exit 0
"""

SCAN = """
inspector = "program"
[program]
command = ["{folder}/scan"]
scan_seconds = 3
words = "Refused: $found"
"""


class ProgramTests(ScanCase):
    """A script of ten lines."""

    scan = SCAN
    gateway: ClassVar[str] = '[metrics]\nlisten = "127.0.0.1:9180"\n'

    def prepare(self) -> None:
        super().prepare()
        script = self.scene.folder / "scan"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        for name in ("slow", "broken"):
            (self.www / name).write_bytes(CLEAN)

    def begin(self) -> None:
        """Not as root, who would not run programs."""
        self.scene.folder.chmod(0o777)
        self.scene.daemon.options = ("--uid=65534", "--gid=65534")
        super().begin()

    def test_bodies(self) -> None:
        """What is clean arrives, what is not has a name; without a verdict nothing passes."""
        self.assertEqual(self.get("clean"), (200, CLEAN))
        status, page = self.get("eicar")
        self.assertEqual((status, b"Refused: Eicar-Test" in page), (403, True), page)
        self.assertEqual([self.put("good", CLEAN), self.put("bad", EICAR)], [201, 403])
        self.assertEqual(self.send(CLEAN)[0], 250)
        self.assertEqual(self.get("broken")[0], 403)
        self.record(reason="not scanned: the program ended with status 2: no signatures")
        self.assertEqual(self.get("slow")[0], 403)
        self.record(reason="not scanned: no verdict within 3 seconds")
        self.assertNotIn("sleep 1017", self.router.run("ps", "-ef"))
        self.assertIn('tproxygw_spooled_bytes{where="memory"} 0.0', self.metrics())

"""Bodies that a shell script judges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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


STAYS = """#!/usr/bin/python3
import json, sys, time
print(json.dumps({"scanner": "words 1.0"}), flush=True)
for line in sys.stdin.buffer:
    told = json.loads(line)
    body = sys.stdin.buffer.read(told["bytes"])
    if told.get("filename") == "slow":
        time.sleep(1017)
    if b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE" in body:
        print(json.dumps({"found": ["Eicar-Test"]}), flush=True)
    elif body == b"change me":
        print(json.dumps({"bytes": 7}) + "\\nchanged", end="", flush=True)
    else:
        print("{}", flush=True)
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


class StaysTests(ScanCase):
    """The program of the documents that stays."""

    scan = """
inspector = "program"
[program]
command = ["{folder}/scan"]
stays = true
changes = true
scan_seconds = 8
"""

    def prepare(self) -> None:
        super().prepare()
        script = self.scene.folder / "scan"
        script.write_text(STAYS)
        script.chmod(0o755)
        for name, content in (("slow", CLEAN), ("change", b"change me")):
            (self.www / name).write_bytes(content)

    def begin(self) -> None:
        """Not as root, who would not run programs."""
        self.scene.folder.chmod(0o777)
        self.scene.daemon.options = ("--uid=65534", "--gid=65534")
        super().begin()

    def test_bodies(self) -> None:
        """One process judges and changes many; one that hangs is killed, and another one judges."""
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(self.get, ["clean", "eicar"] * 10))
        self.assertEqual([status for status, _ in found], [200, 403] * 10)
        self.assertTrue(all(body == CLEAN for status, body in found if status == 200))
        self.assertEqual(self.get("change"), (200, b"changed"))
        self.record(filename="change", changed=True, scanner="words 1.0")
        self.assertEqual(self.put("change-me", b"change me"), 201)
        self.assertEqual((self.www / "put-change-me").read_bytes(), b"changed")
        self.assertEqual(self.get("slow")[0], 403)
        self.record(reason="not scanned: no verdict within 8 seconds")
        self.assertEqual(self.get("clean"), (200, CLEAN))
        self.scene.daemon.stop()
        self.assertNotIn(f"{self.scene.folder}/scan", self.router.run("ps", "-ef"))
        self.scene.daemon.start()

"""The audit on a real disk that is really full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parents[2]
NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-r", "--mount"]


class FullDiskTests(SynchronousTestCase):
    """Each in a mount namespace of its own, so that nothing of it is left."""

    def setUp(self) -> None:
        able = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], check=False)
        if able.returncode:
            if os.environ.get("CI"):
                self.fail("no mount namespaces: see above")
            raise SkipTest("needs mount namespaces (root)")

    def run_scenario(self, scenario: str) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        done = subprocess.run(
            [*NAMESPACE, sys.executable, "-m", "tests.observe.full_disk", scenario, str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_refuse(self) -> None:
        """With "refuse", new sessions wait, and not one record is lost."""
        self.run_scenario("refuse")

    def test_drop(self) -> None:
        """With "drop", sessions go on, and the gap is told where it is."""
        self.run_scenario("drop")

    def test_rotate(self) -> None:
        """Rotation helps at once, and leaves whole lines in both files."""
        self.run_scenario("rotate")

    def test_stop(self) -> None:
        """A stop is bounded, and the file ends with a whole line."""
        self.run_scenario("stop")

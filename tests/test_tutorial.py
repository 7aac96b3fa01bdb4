"""docs/writing-an-inspector.md, followed to the letter (as far as that needs no network)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.interfaces import CLIENT, SERVER, Outcome
from gateway.testing import END, Conversation, InspectorSuite

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "writing-an-inspector.md").read_text()

FILES = dict(re.findall(r"^```\w+\n# (\S+\.\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
"""The files that a reader is asked to write, by the name in their first line."""

COMMANDS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
"""What a reader is asked to type."""


def patient() -> Any:
    """The example of an awaited decision."""
    names: dict[str, Any] = {"__name__": "decision"}
    exec(compile(FILES["decision.py"], "decision.py", "exec"), names)
    return names["PatientInspector"]


class TutorialTests(SynchronousTestCase):
    """A new author who follows the page gets what it promises."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        for name, text in FILES.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def type(self, word: str) -> subprocess.CompletedProcess[str]:
        """Run the block of commands in which a word is."""
        (block,) = [block for block in COMMANDS if word in block]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def test_tests(self) -> None:
        """The example passes its tests, and those are many."""
        done = self.type("twisted.trial")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("test_every_split", done.stdout)

    def test_forgotten(self) -> None:
        """What the page says to forget is found by the tests."""
        path = self.folder / "plugins" / "redis.py"
        text = path.read_text()
        path.write_text(text.replace("            await read.line(0)\n", ""))
        self.assertNotEqual(path.read_text(), text)
        self.assertNotEqual(self.type("twisted.trial").returncode, 0)

    def test_check(self) -> None:
        """The configuration is good, and the inspector in its folder is found."""
        done = self.type("tproxygw check")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Redis: only the commands that are listed", done.stdout)


class PatientSuite(InspectorSuite, SynchronousTestCase):
    """The example of a decision is as safe as any inspector has to be."""

    inspector = patient()
    conversations = (
        Conversation(
            "two commands at once",
            [
                (CLIENT, b"a\r\nb\r\n"),
                (SERVER, b"1\r\n"),
                (SERVER, b"2\r\n"),
                (CLIENT, END),
                (SERVER, END),
            ],
        ),
        Conversation("not asked", [(SERVER, b"1\r\n")], outcome=Outcome.DENIED),
    )

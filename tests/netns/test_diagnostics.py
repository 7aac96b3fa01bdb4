"""What twistd's own log file holds, whatever peers send."""

from __future__ import annotations

from pathlib import Path

from gateway.lab.waiting import wait_until
from tests.netns.case import SECONDS, SERVER, SceneCase

BROKEN = '''
from gateway.inspector import Inspector
from gateway.maker import InspectorMaker


class Broken(Inspector):
    """An exception of its own, and one of Twisted's that nobody handles, quote the client."""

    def received(self, side, data):
        from twisted.internet.defer import fail

        fail(LookupError(data.decode("latin-1")))
        raise ValueError(data.decode("latin-1"))


broken = InspectorMaker("broken", Broken, "has a bug")
'''
SERVICE = """
inspector = "broken"
[[rule]]
from = ["office"]
ports = [7777]
"""
SAID = b"\x1b[2J\x9b31m\r\n2026-11-30T00:00:00+0000 [-] all is well"


class LogFileTests(SceneCase):
    """C{twistd --logfile}: what a terminal obeys does not get there."""

    services = {"broken": SERVICE}

    def begin(self) -> None:
        """The plugin is a file beside the configuration; the log is a file of twistd's."""
        folder = self.scene.folder / "plugins"
        folder.mkdir(exist_ok=True)
        (folder / "broken.py").write_text(BROKEN)
        self.scene.configure(self.services, self.gateway, self.zones)
        settings = self.scene.config / "gateway.toml"
        settings.write_text(f'plugin_path = ["{folder}"]\n{settings.read_text()}')
        self.file = self.scene.folder / "twistd.log"
        self.scene.daemon.options += ("--logfile", str(self.file))
        self.scene.daemon.log = self.file
        self.scene.daemon.start()

    def test_traceback(self) -> None:
        """A peer's ESC in an exception's text is shown, not obeyed, and makes up no line."""
        self.listen(7777, SERVER)
        self.dial((SERVER, 7777)).sendall(SAID)
        self.assertTrue(wait_until(lambda: "LookupError" in self.said, SECONDS), self.said)
        self.assertIn("ValueError: \\x1b[2J\\x9b31m", self.said)
        self.assertTrue(self.said.replace("\n", "").replace("\t", "").isprintable())
        self.assertNotIn("\n2026-11-30T00:00:00+0000 [-] all is well", self.said)

    @property
    def said(self) -> str:
        return Path(self.file).read_text()

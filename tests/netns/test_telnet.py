"""GNU inetutils' telnet and telnetd through the real gateway."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path
from typing import Any, ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SECONDS, SERVER, SceneCase

TELNETD = Path(__file__).parents[2] / ".make/unpacked/inetutils-telnetd/usr/sbin/telnetd"

SERVICE = """
inspector = "telnet"
[[rule]]
from = ["office"]
to = ["internet"]
ports = [23]
[telnet]
"""

LOGIN = """\
#!/bin/sh
echo "welcome on $TERM"
read line
echo "you said $line"
# telnetd forgets what it has not read when this ends
read line
"""


class Terminal:
    """A program with a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.ours, theirs = pty.openpty()
        self.heard = ""
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, **environment},
        )
        os.close(theirs)

    def wait_for(self, text: str, seconds: float = 3 * SECONDS) -> None:
        """Read until it is there."""
        end = time.monotonic() + seconds
        while text not in self.heard:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.ours], [], [], left)[0]:
                raise AssertionError(f"not heard: {text!r}; but {self.heard!r}")
            try:
                self.heard += os.read(self.ours, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(f"ended; heard {self.heard!r}") from None

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


class TelnetCase(SceneCase):
    """A real server, which greets with what it was told."""

    settings: ClassVar[str] = ""

    def prepare(self) -> None:
        """telnetd, started for each connection, and a program in the place of login."""
        super().prepare()
        login = self.scene.folder / "login"
        login.write_text(LOGIN)
        login.chmod(0o755)
        self.server.start(
            *("socat", "TCP-LISTEN:23,fork,reuseaddr", f"EXEC:{TELNETD} -E {login},nofork"),
            stderr=subprocess.DEVNULL,
            # It asks for its client's name, and there is nobody who knows.
            env={**os.environ, "RES_OPTIONS": "timeout:1 attempts:1"},
        )
        if not wait_until(lambda: ":23 " in self.server.run("ss", "-ltn"), seconds=10):
            raise AssertionError("nobody listens")

    def begin(self) -> None:
        """With the class's settings."""
        self.scene.configure({"telnet": SERVICE + self.settings})
        self.scene.daemon.start()

    def dialled(self, *options: str, **environment: str) -> Terminal:
        """Somebody at a terminal calls the server."""
        command = [*self.client.prefix, "inetutils-telnet", *options, SERVER]
        terminal = Terminal(command, {"TERM": "vt220", **environment})
        self.addCleanup(terminal.close)
        return terminal

    def record(self) -> dict[str, Any]:
        """The last record."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [r for r in self.scene.records() if r["event_type"] == "telnet"]
            return bool(found)

        self.wait(there, "no record")
        return found[-1]


class TelnetTests(TelnetCase):
    """Who sits at a terminal notices nothing."""

    def test_session(self) -> None:
        """The terminal's name arrives, text goes both ways, and the end is an ordinary one."""
        terminal = self.dialled()
        terminal.wait_for("welcome on")
        terminal.wait_for("vt220")
        terminal.type("hello\r")
        terminal.wait_for("you said hello")
        terminal.type("bye\r")
        terminal.wait_for("closed by foreign host")
        self.assertEqual(self.record()["telnet"]["terminal"].lower(), "vt220")


class EnvironmentTests(TelnetCase):
    """A client that tells too much."""

    def test_user(self) -> None:
        """A name that is none does not reach the server, and the client is told so."""
        terminal = self.dialled("-l", "no name")
        terminal.wait_for("That is not allowed here.")
        self.assertEqual(self.record()["gateway"]["denied_by"], "value")

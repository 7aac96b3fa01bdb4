"""A real server of a protocol of lines, behind the service file that the documentation shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SceneCase, hear

PAGE = Path(__file__).parents[2] / "docs" / "lines.md"
PORT = 11211
REFUSAL = b"CLIENT_ERROR not allowed here\r\n"


def documented() -> str:
    """The service file of the page."""
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


class MemcachedTests(SceneCase):
    """What a newcomer gets who copies ten lines from the page."""

    services: ClassVar = {"cache": documented()}

    def prepare(self) -> None:
        """memcached, in the server's namespace."""
        super().prepare()
        self.server.start("memcached", "-u", "nobody", "-l", SERVER, "-p", str(PORT))
        if not wait_until(lambda: f":{PORT} " in self.server.run("ss", "-ltn"), seconds=10):
            raise AssertionError("memcached does not listen")

    def say(self, said: bytes, heard: bytes) -> None:
        """Say something on a connection of its own, and hear exactly that."""
        ours = self.dial((SERVER, PORT))
        ours.sendall(said)
        self.assertEqual(hear(ours, len(heard)), heard)
        ours.close()

    def test_allowed(self) -> None:
        """Values go in and out, whatever is in them."""
        value = b"flush_all\r\n\x00\xff"
        self.say(b"set a 0 0 %d\r\n%s\r\n" % (len(value), value), b"STORED\r\n")
        self.say(b"get a\r\n", b"VALUE a 0 %d\r\n%s\r\nEND\r\n" % (len(value), value))

    def test_refused(self) -> None:
        """What the page does not list is refused, in its place among the replies."""
        self.say(
            b"set b 0 0 1\r\nx\r\nflush_all\r\ndelete b\r\nget b\r\n",
            b"STORED\r\n" + REFUSAL * 2 + b"VALUE b 0 1\r\nx\r\nEND\r\n",
        )

"""A real server of a protocol of lines, behind the service file that the documentation shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from gateway.lab.namespace import Namespace
from gateway.lab.waiting import wait_until
from tests.netns.case import SERVER, SceneCase, hear

PAGE = Path(__file__).parents[2] / "docs" / "lines.md"
PORT = 11211
REFUSAL = b"CLIENT_ERROR not allowed here\r\n"


def documented(name: str) -> str:
    """A service file of the page."""
    found = re.search(rf"```toml\n(# services/{name}\.toml\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


class MemcachedTests(SceneCase):
    """What a newcomer gets who copies ten lines from the page."""

    services: ClassVar = {"cache": documented("cache")}

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


class RedisTests(SceneCase):
    """The same for Redis, with its own client."""

    services: ClassVar = {"redis": documented("redis")}

    def prepare(self) -> None:
        """The server, which redis-tools have under the name of a program that is it, too."""
        super().prepare()
        self.server.start(
            *("bash", "-c", 'exec -a redis-server redis-check-rdb "$@"', "-"),
            *("--bind", SERVER, "--protected-mode", "no", "--save", "", "--logfile", "/dev/null"),
            cwd=self.scene.folder,
        )
        if not wait_until(lambda: ":6379 " in self.server.run("ss", "-ltn"), seconds=20):
            raise AssertionError("redis-server does not listen")
        self.redis(self.server, "rpush", "list", "a b", r"\x00")

    def redis(self, namespace: Namespace, *command: str) -> str:
        return namespace.run("redis-cli", "-h", SERVER, *command)

    def test_policy(self) -> None:
        """What the page lists passes, whatever is in it; all else is refused in its place."""
        self.assertEqual(self.redis(self.client, "lrange", "list", "0", "-1"), "a b\n\\x00\n")
        self.assertEqual(self.redis(self.client, "exists", "list"), "1\n")
        self.assertEqual(self.redis(self.client, "set", "a", "1"), "ERR not allowed here\n\n")
        self.assertEqual(self.redis(self.client, "get", "a"), "\n")
